/** The runs of a kernel as a table, each with its Stop. */
import { keyedList, type Component } from './component';
import { columnHeading, h, setText, setVisible } from './dom';
import { count, word } from './format';
import { elapsedText } from './header';
import type { ViewState } from './live-view';
import { progressBar, progressText } from './progress-bar';
import { stateLabel } from './state-icon';
import { atAge, isLive, isSingleTask, readRuns, type Run } from './status';
import { stopButton } from './stop-button';
import { joinText, moreText } from './text';
import type { Send } from './transport';

const MAX_ROWS = 200;

/** The runs of a kernel; their clocks tick. */
export const runsPart = { build: runsList, ticks: (data: unknown): boolean => readRuns(data).some(isLive) };

function runsList(send: Send): Component<ViewState> {
  const table = runTable(send);
  return {
    node: table.node,
    update({ snapshot, age, kernelGone }) {
      table.update(readRuns(snapshot).map(run => atAge(run, age, kernelGone)));
    },
    dispose: table.dispose,
  };
}

/** Hidden while there are no runs. */
export function runTable(send: Send): Component<Run[]> {
  const body = h('tbody');
  const titles = ['Run', 'State', 'Name', 'Progress', 'Elapsed'];
  const head = h('tr', '', ...titles.map(columnHeading), h('th', '', h('span', 'unseen', 'Stop')));
  const more = h('div', 'muted');
  const node = h('div', 'scroll', h('table', 'table runs', h('thead', '', head), body), more);
  const rows = keyedList<Run>(body, run => run.id, () => runRow(send));
  return {
    node,
    update(runs) {
      rows.update(runs.slice(0, MAX_ROWS));
      setText(more, moreText(runs.length, MAX_ROWS));
      setVisible(node, runs.length > 0);
    },
    dispose: rows.dispose,
  };
}

function runRow(send: Send): Component<Run> {
  const id = h('td', 'number');
  const state = stateLabel();
  const name = h('span', 'name');
  const verb = h('span', 'muted verb');
  const bar = progressBar();
  const amount = h('span', 'amount');
  const elapsed = h('td', 'number cell-elapsed');
  const stop = stopButton(send);
  const cells = [
    id,
    h('td', '', state.node),
    h('td', 'cell-name', name, ' ', verb, stop.message),
    h('td', 'cell-progress', h('div', '', bar.node, amount)),
    elapsed,
    h('td', 'cell-stop', stop.node),
  ];
  return {
    node: h('tr', '', ...cells),
    update(run) {
      const single = isSingleTask(run);
      setText(id, run.id);
      state.update({ icon: run.state, text: word(run.state) });
      setText(name, run.name);
      setText(verb, run.verb);
      bar.update(run);
      setVisible(bar.node, isLive(run) || !single);
      setText(amount, joinText([progressText(run), run.failed && !single ? `${count(run.failed)} failed` : ''], ', '));
      setText(elapsed, elapsedText(run.state, run.elapsed));
      stop.update(run);
    },
    dispose: stop.dispose,
  };
}
