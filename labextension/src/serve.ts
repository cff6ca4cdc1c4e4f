/** Applications that Ray Serve serves, and the deployment of one of them as a run. */
import { h, keyed, setAttrs, setLine, show, type Part } from './dom';
import { count, plural } from './format';
import { GONE, live, type Seen } from './live';
import { card } from './run';
import { application, type Shown } from './serve-app';
import { readServe } from './serve-status';
import { placeText } from './serve-words';
import type { Mount, Source } from './source';
import { isLive, readRun } from './status';

const MOST = 100;

export const mount: Mount = (root, source) => {
  const send: Source['send'] = command => source.send(command);
  const picture = card(send, served(send), { isRun: run => run.id !== '' });
  return live(root, source, picture, snapshot => isLive(readRun(snapshot)));
};

function served(send: Source['send']): Part<Seen> {
  const left = h('div', 'why');
  const list = h('div');
  const apps = keyed<Shown>(list, ({ app }) => app.id, () => application(send));
  const none = h('div', 'empty', 'Nothing is served here. Begin a cell with ', h('code', '', '%%ray_serve'), ' to serve the application that it builds.');
  const more = h('div', 'muted');
  const place = h('div', 'place muted');
  const node = h('div', 'serve', left, list, none, more, place);
  setAttrs(node, { role: 'group', 'aria-label': 'Applications of Ray Serve' });
  return {
    node,
    paint({ snapshot, gone }) {
      const serve = readServe(snapshot);
      const going = serve.run.id !== '' && isLive(serve.run);
      const all = serve.apps;
      apps.paint(all.slice(0, MOST).map(app => ({ app, above: serve.run.error, alone: all.length === 1, gone })));
      setLine(left, gone && !going ? GONE : '');
      show(none, all.length === 0 && serve.run.id === '');
      setLine(more, all.length > MOST ? `and ${count(all.length - MOST)} more ${plural('application', all.length - MOST)}` : '');
      setLine(place, placeText(serve));
    },
    dispose: apps.dispose,
  };
}
