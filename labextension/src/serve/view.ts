/** Applications that Ray Serve serves. */
import { keyedList, type Component } from '../core/component';
import { h, setAttrs, setTextOrHide, setVisible } from '../core/dom';
import type { ViewState } from '../core/live-view';
import { isLive } from '../core/status';
import { KERNEL_GONE, moreText } from '../core/text';
import type { Send } from '../core/transport';
import { applicationSection, type ApplicationProps } from './application';
import { readServe } from './status';
import { serveText } from './text';

const MAX_APPLICATIONS = 100;

export const applicationsPart = { build: applications };

function applications(send: Send): Component<ViewState> {
  const kernelNotice = h('div', 'why');
  const list = h('div');
  const sections = keyedList<ApplicationProps>(list, ({ application }) => application.id, () => applicationSection(send));
  const empty = h('div', 'empty', 'Nothing is served here. Begin a cell with ', h('code', '', '%%ray_serve'), ' to serve the application that it builds.');
  const more = h('div', 'muted');
  const place = h('div', 'place muted');
  const node = h('div', 'serve', kernelNotice, list, empty, more, place);
  setAttrs(node, { role: 'group', 'aria-label': 'Applications of Ray Serve' });
  return {
    node,
    update({ snapshot, kernelGone }) {
      const serve = readServe(snapshot);
      const { run, applications } = serve;
      const deploying = run.id !== '' && isLive(run);
      const isOnly = applications.length === 1;
      sections.update(applications.slice(0, MAX_APPLICATIONS).map(application => ({ application, textAbove: run.error, isOnly, kernelGone })));
      setTextOrHide(kernelNotice, kernelGone && !deploying ? KERNEL_GONE : '');
      setVisible(empty, applications.length === 0 && run.id === '');
      setTextOrHide(more, moreText(applications.length, MAX_APPLICATIONS, 'application'));
      setTextOrHide(place, serveText(serve));
    },
    dispose: sections.dispose,
  };
}
