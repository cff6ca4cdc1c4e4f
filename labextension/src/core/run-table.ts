/** The runs of a kernel as a table, each with its Stop. */
import { bar, progress } from './progress-bar';
import { h, keyed, setText, show, type Part } from './dom';
import { clock, count, seconds, word } from './format';
import { icon } from './state-icon';
import { live, type Seen } from './live-view';
import type { Mount, Source } from './transport';
import { aged, isLive, isSingle, readRuns, type Run } from './status';
import { stop } from './stop-button';

const ROWS = 200;

export const mount: Mount = (root, source) =>
  live(root, source, page(command => source.send(command)), snapshot => readRuns(snapshot).some(isLive));

function page(send: Source['send']): Part<Seen> {
  const title = h('span', 'state', 'Runs');
  const amount = h('span', 'muted');
  const rows = table(send);
  const empty = h('div', 'empty', 'Nothing has run yet. Begin a cell with ', h('code', '', '%%ray_remote'), ' to run it on the cluster.');
  const node = h('section', 'card', h('div', 'head', title, amount), empty, rows.node);
  node.setAttribute('aria-label', 'Runs');
  return {
    node,
    paint({ snapshot, age, gone }) {
      const runs = readRuns(snapshot).map(run => aged(run, age, gone));
      rows.paint(runs);
      setText(amount, runs.length ? tally(runs) : '');
      show(empty, runs.length === 0);
      node.classList.toggle('ray-magics-old', gone);
    },
    dispose: rows.dispose,
  };
}

function tally(runs: Run[]): string {
  const going = runs.filter(isLive).length;
  return going ? `${count(runs.length)}, ${count(going)} at work` : count(runs.length);
}

/** Hidden when there are no runs. */
export function table(send: Source['send']): Part<Run[]> {
  const body = h('tbody');
  const head = h('tr', '', ...['Run', 'State', 'Name', 'Progress', 'Elapsed'].map(heading), h('th', '', h('span', 'unseen', 'Stop')));
  const more = h('div', 'muted');
  const node = h('div', 'scroll', h('table', 'table runs', h('thead', '', head), body), more);
  const rows = keyed<Run>(body, run => run.id, () => row(send));
  return {
    node,
    paint(runs) {
      rows.paint(runs.slice(0, ROWS));
      setText(more, runs.length > ROWS ? `and ${count(runs.length - ROWS)} more` : '');
      show(node, runs.length > 0);
    },
    dispose: rows.dispose,
  };
}

export function heading(text: string): HTMLElement {
  const node = h('th', '', text);
  node.scope = 'col';
  return node;
}

function row(send: Source['send']): Part<Run> {
  const id = h('td', 'number');
  const sign = icon();
  const state = h('span');
  const name = h('span', 'name');
  const verb = h('span', 'muted verb');
  const progressbar = bar();
  const amount = h('span', 'amount');
  const elapsed = h('td', 'number cell-elapsed');
  const button = stop(send);
  const node = h(
    'tr',
    '',
    id,
    h('td', '', h('span', 'cell-state', sign.node, state)),
    h('td', 'cell-name', name, ' ', verb, button.message),
    h('td', 'cell-progress', h('div', '', progressbar.node, amount)),
    elapsed,
    h('td', 'cell-stop', button.node),
  );
  return {
    node,
    paint(run) {
      setText(id, run.id);
      sign.paint(run.state);
      setText(state, word(run.state));
      setText(name, run.name);
      setText(verb, run.verb);
      progressbar.paint(run);
      show(progressbar.node, isLive(run) || !isSingle(run));
      setText(amount, [progress(run), run.failed && !isSingle(run) ? `${count(run.failed)} failed` : ''].filter(Boolean).join(', '));
      setText(elapsed, isLive(run) ? clock(run.elapsed) : seconds(run.elapsed));
      button.paint(run);
    },
    dispose: button.dispose,
  };
}
