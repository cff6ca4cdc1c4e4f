/** The view for whatever a source shows: picks the renderer by the snapshot's kind. */
import { mount as mountCluster } from './cluster/view';
import { classes, h, setText } from './core/dom';
import { plain } from './core/format';
import { mount as mountRun } from './core/run-card';
import { mount as mountRuns } from './core/run-table';
import { mount as mountServe } from './serve/view';
import type { Mount } from './core/transport';
import { kindOf } from './core/status';
import { mount as mountTune } from './tune/view';

const VIEWS: Record<string, Mount> = { run: mountRun, cluster: mountCluster, runs: mountRuns, serve: mountServe, tune: mountTune };

export const mount: Mount = (root, source) => {
  let kind: string | null = null;
  let end = (): void => undefined;
  const choose = (): void => {
    const next = kindOf(source.get());
    if (next === kind) return;
    end();
    kind = next;
    end = (Object.hasOwn(VIEWS, next) ? VIEWS[next]! : mountPlain)(root, source);
  };
  choose();
  const stop = source.onChange(choose);
  return () => {
    stop();
    end();
  };
};

/** What cannot be drawn is shown as text. */
const mountPlain: Mount = (root, source) => {
  const node = h('pre', 'plain');
  const paint = (): void => setText(node, words(source.get()));
  const stop = source.onChange(paint);
  root.classList.add(classes('view'));
  root.append(node);
  paint();
  return () => {
    stop();
    node.remove();
  };
};

function words(snapshot: unknown): string {
  const empty = typeof snapshot !== 'object' || snapshot === null || Object.keys(snapshot).length === 0;
  return empty ? 'Nothing to show yet.' : `This version of ray_magics cannot draw this status:\n${plain(JSON.stringify(snapshot), 500)}`;
}
