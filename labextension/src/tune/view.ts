/** The trials of a search: the best, a filter, curves, parallel coordinates and the table. */
import type { Component } from '../core/component';
import { countChips } from '../core/count-chips';
import { h, setAttr, setText, setTextOrHide, setVisible } from '../core/dom';
import { word } from '../core/format';
import { lookUp } from '../core/json-readers';
import type { ViewState } from '../core/live-view';
import { atAge } from '../core/status';
import { joinText } from '../core/text';
import type { Send } from '../core/transport';
import { trialActions } from './actions';
import { bestTrial } from './best-trial';
import type { SortOrder } from './columns';
import { curves } from './curves';
import { trialDetails } from './details';
import { parallelCoordinates } from './parallel-coordinates';
import type { SearchView } from './search-view';
import { trialSelector } from './selector';
import { readSearch, type Search, type Trial } from './status';
import { trialTable } from './table';
import { toolbar } from './toolbar';

const STATES: Record<string, string> = { TERMINATED: 'ended', ERROR: 'failed' };

export const searchPart = { build: searchBody };

function searchBody(send: Send): Component<ViewState> {
  let order: SortOrder = { key: 'number', descending: false };
  let selected = '';
  let state: ViewState | null = null;
  const select = (id: string): void => {
    selected = id;
    redraw();
  };
  const sortBy = (key: string): void => {
    order = { key, descending: order.key === key && !order.descending };
    redraw();
  };
  const closeDetails = (): void => {
    select('');
    table.node.querySelector('table')?.focus({ preventScroll: true });
  };

  const actions = trialActions(send, redraw);
  const states = countChips('Trials', 'none yet');
  const goal = h('div', 'muted');
  const best = bestTrial(select);
  const parallel = parallelCoordinates(select, redraw);
  const tools = toolbar(redraw, () => parallel.clearBrushes());
  const lines = curves(select);
  const details = trialDetails(actions, closeDetails);
  const table = trialTable(actions, { select, sortBy, openDetails: () => details.node.focus() });
  const message = h('div', 'message');
  const charts = h('div', 'charts', lines.node, parallel.node);
  const trials = h('div', '', tools.node, charts, message, table.node, details.node);
  const path = h('div', 'path muted');
  const node = h('div', 'search', states.node, goal, best.node, trials, path);
  const components = [best, lines, parallel, table, details];
  const selector = trialSelector();
  setAttr(message, 'role', 'status');

  function redraw(): void {
    if (!state) return;
    const search = readSearch(state.snapshot);
    const filter = tools.read(selector.columns(search));
    const brushes = parallel.tests();
    const selection = selector.select(search, filter, brushes, order);
    const view: SearchView = { ...selection, search, order, selected: findTrial(search, selected), best: findTrial(search, search.best) };
    actions.setState(atAge(search.run, state.age, state.kernelGone), search.trials);
    states.update(search.states.map(([name, count]) => [lookUp(STATES, name) ?? name, count]));
    setText(goal, goalText(search));
    for (const component of components) component.update(view);
    tools.update({ ...view, brushed: brushes.length > 0 });
    setTextOrHide(message, actions.message());
    setTextOrHide(path, search.path && `Results: ${search.path}`);
    setVisible(trials, search.trials.length > 0);
  }

  return {
    node,
    update(next) {
      state = next;
      redraw();
    },
    dispose() {
      actions.dispose();
      for (const component of [tools, ...components]) component.dispose?.();
    },
  };
}

/** "Goal: lowest loss · search: random · scheduler: asha" */
function goalText({ metric, mode, algorithm, scheduler }: Search): string {
  const extreme = { min: 'lowest ', max: 'highest ' }[mode] ?? '';
  return word(joinText([metric && `goal: ${extreme}${metric}`, algorithm && `search: ${algorithm}`, scheduler && `scheduler: ${scheduler}`]));
}

function findTrial({ trials }: Search, id: string): Trial | null {
  return id ? (trials.find(trial => trial.id === id) ?? null) : null;
}
