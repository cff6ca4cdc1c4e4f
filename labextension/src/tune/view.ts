/** A search: the card of its run with the best trial, a filter, curves, parallel coordinates and the table of trials. */
import { best } from './best-trial';
import { chips } from '../cluster/view';
import { curves } from './curves';
import { h, setAttr, setLine, setText, show, type Part } from '../core/dom';
import { word } from '../core/format';
import { live, type Seen } from '../core/live-view';
import { parallel } from './parallel-coordinates';
import { card } from '../core/run-card';
import type { Scene } from './search-view';
import type { Mount, Source } from '../core/transport';
import { aged, isLive, readRun } from '../core/status';
import { toolbar } from './toolbar';
import { trialActions } from './actions';
import { columnsOf, sorted, type Column, type Order } from './columns';
import type { Test } from './filter';
import { trialPane } from './details';
import { trialTable } from './table';
import { readTune, type Trial, type Tune } from './status';

const STATES = new Map([['TERMINATED', 'ended'], ['ERROR', 'failed']]);

export const mount: Mount = (root, source) =>
  live(root, source, card(command => source.send(command), search(command => source.send(command)), { stopper: 'Stop all' }), snapshot => isLive(readRun(snapshot)));

function search(send: Source['send']): Part<Seen> {
  let order: Order = { key: 'number', down: false };
  let selected = '';
  let seen: Seen | null = null;
  const again = (): void => paint();
  const select = (id: string): void => {
    selected = id;
    again();
  };
  const sort = (key: string): void => {
    order = { key, down: order.key === key && !order.down };
    again();
  };
  const close = (): void => {
    select('');
    table.node.querySelector('table')?.focus({ preventScroll: true });
  };

  const actions = trialActions(send, again);
  const states = chips('Trials', 'none yet');
  const method = h('div', 'muted');
  const first = best(select);
  const brushes = parallel(select, again);
  const tools = toolbar(again, () => brushes.clear());
  const lines = curves(select);
  const pane = trialPane(actions, close);
  const table = trialTable(actions, { select, sort, open: () => pane.node.focus() });
  const message = h('div', 'message');
  const charts = h('div', 'charts', lines.node, brushes.node);
  const trials = h('div', '', tools.node, charts, message, table.node, pane.node);
  const path = h('div', 'path muted');
  const node = h('div', 'search', states.node, method, first.node, trials, path);
  const parts = [first, lines, brushes, table, pane];
  const look = lens();
  setAttr(message, 'role', 'status');

  function paint(): void {
    if (!seen) return;
    const tune = readTune(seen.snapshot);
    const filter = tools.read(look.columns(tune));
    const tests = brushes.tests();
    const view = look.view(tune, filter.tests, filter.key, tests, order);
    const scene: Scene = { ...view, tune, order, selected: byId(tune.trials, selected), best: byId(tune.trials, tune.best) };
    actions.update(aged(tune.run, seen.age, seen.gone), tune.trials);
    states.paint(tune.states.map(([state, number]) => [STATES.get(state) ?? state, number]));
    setText(method, goal(tune));
    for (const part of parts) part.paint(scene);
    tools.paint({ ...scene, brushed: tests.length > 0 });
    setLine(message, actions.message());
    setLine(path, tune.path && `Results: ${tune.path}`);
    show(trials, tune.trials.length > 0);
  }

  return {
    node,
    paint(next) {
      seen = next;
      paint();
    },
    dispose() {
      actions.dispose();
      tools.dispose?.();
      for (const part of parts) part.dispose?.();
    },
  };
}

/** "Goal: lowest loss · search: random · scheduler: asha" */
function goal({ metric, mode, search, scheduler }: Tune): string {
  const extreme = { min: 'lowest ', max: 'highest ' }[mode] ?? '';
  return word([metric && `goal: ${extreme}${metric}`, search && `search: ${search}`, scheduler && `scheduler: ${scheduler}`].filter(Boolean).join(' · '));
}

function byId(trials: Trial[], id: string): Trial | null {
  return id ? (trials.find(trial => trial.id === id) ?? null) : null;
}

interface Lens {
  columns(tune: Tune): Column[];
  view(tune: Tune, tests: Test[], key: string, brushes: Test[], order: Order): Pick<Scene, 'columns' | 'matching' | 'shown'>;
}

/** Filters and sorts, but only when trials, filter, brushes or order are not those of the last time. */
function lens(): Lens {
  const columns = remember((_key: string, tune: Tune) => columnsOf(tune), 1);
  const matching = remember((trials: Trial[], _key: string, tests: Test[]) => passing(trials, tests), 2);
  const brushed = remember((trials: Trial[], _key: string, brushes: Test[]) => passing(trials, brushes), 2);
  const ordered = remember((trials: Trial[], cells: Column[], key: string, down: boolean) => sorted(trials, cells.find(column => column.key === key), down), 4);
  let numbers = 0;
  let before: Test[] = [];
  const read = (tune: Tune): Column[] => columns(JSON.stringify([tune.params, tune.metrics]), tune);
  return {
    columns: read,
    view(tune, tests, key, brushes, order) {
      if (brushes.length !== before.length || brushes.some((test, index) => test !== before[index])) numbers += 1;
      before = brushes;
      const cells = read(tune);
      const some = matching(tune.trials, key, tests);
      const shown = ordered(brushed(some, String(numbers), brushes), cells, order.key, order.down);
      return { columns: cells, matching: some, shown };
    },
  };
}

function passing(trials: Trial[], tests: Test[]): Trial[] {
  return tests.length ? trials.filter(trial => tests.every(test => test(trial))) : trials;
}

/** The last answer again, as long as the first `count` arguments are the same. */
function remember<A extends unknown[], T>(work: (...args: A) => T, count: number): (...args: A) => T {
  let last: { args: A; value: T } | null = null;
  return (...args) => {
    const known = last;
    if (known && known.args.slice(0, count).every((one, index) => one === args[index])) return known.value;
    last = { args, value: work(...args) };
    return last.value;
  };
}
