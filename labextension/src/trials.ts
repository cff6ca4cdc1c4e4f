/** The table of trials. Of many thousands only those in sight are in the page. */
import { h, keyed, setAttr, setAttrs, setText, show, type Part } from './dom';
import { icon } from './icon';
import type { Scene, Select } from './scene';
import type { Actions } from './trial-actions';
import type { Column } from './trial-columns';
import { stateIcon, type Trial } from './tune-status';

const ROW = 28;
// As in the style: measured, it would be that of a table whose rows are not there yet.
const HEIGHT = 364;
const SPARE = 6;
const WIDEST = 26;
const BUTTONS = 138;

interface Line {
  trial: Trial;
  index: number;
  scene: Scene;
}

export interface Handlers {
  select: Select;
  sort(key: string): void;
  /** Enter on a row: to what is below it. */
  open(): void;
}

let tables = 0;

export function trialTable(actions: Actions, on: Handlers): Part<Scene> {
  tables += 1;
  const name = `ray-magics-trials-${tables}`;
  const columns = h('tr');
  const above = h('tbody');
  const body = h('tbody');
  const below = h('tbody');
  const table = h('table', 'table trials', h('thead', '', columns), above, body, below);
  const scroller = h('div', 'trials-scroll', table);
  const none = h('div', 'empty', 'No trial passes the filter.');
  const node = h('div', '', scroller, none);
  const headings = keyed<Column>(columns, column => column.key, () => heading(on.sort, () => scene));
  const rows = keyed<Line>(body, ({ trial }) => trial.id, () => row(name, actions, on.select));
  const widths = new Map<string, number>();
  let scene: Scene | null = null;
  let selected = '';
  let painted: unknown[] = [];

  const paintRows = (current: Scene): void => {
    const trials = current.shown;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - SPARE);
    const last = Math.min(trials.length, first + Math.ceil(HEIGHT / ROW) + 2 * SPARE);
    const begin = Math.min(first, last);
    rows.paint(trials.slice(begin, last).map((trial, place) => ({ trial, index: begin + place, scene: current })));
    above.style.height = `${begin * ROW}px`;
    below.style.height = `${(trials.length - last) * ROW}px`;
    widen(current, trials.slice(begin, last));
  };

  /** Columns grow with what is seen in them and never shrink, so that they do not dance while one scrolls. */
  const widen = (current: Scene, seen: Trial[]): void => {
    let total = 0;
    current.columns.forEach((column, index) => {
      const long = Math.max(column.title.length + 4, ...seen.map(trial => column.text(trial).length + 3), widths.get(column.key) ?? 6);
      const width = Math.min(long, WIDEST) + (column.key === 'state' ? 3 : 0);
      widths.set(column.key, Math.min(long, WIDEST));
      total += width;
      const cell = columns.children[index] as HTMLElement;
      if (cell.style.width !== `${width}ch`) cell.style.width = `${width}ch`;
    });
    const wide = `max(100%, calc(${total}ch + ${BUTTONS}px))`;
    (columns.lastElementChild as HTMLElement).style.width = `${BUTTONS}px`;
    if (table.style.width !== wide) table.style.width = wide;
  };

  const reveal = (index: number): void => {
    const room = HEIGHT - 2 * ROW;
    if (index * ROW < scroller.scrollTop) scroller.scrollTop = index * ROW;
    else if (index * ROW > scroller.scrollTop + room) scroller.scrollTop = index * ROW - room;
  };

  const move = (current: Scene, key: string): boolean => {
    const page = Math.max(1, Math.floor(HEIGHT / ROW) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[key];
    if (step === undefined || current.shown.length === 0) return false;
    const at = current.selected ? current.shown.indexOf(current.selected) : step > 0 ? -1 : 0;
    const next = current.shown[Math.max(0, Math.min(current.shown.length - 1, at + step))];
    if (next) on.select(next.id);
    return true;
  };

  table.addEventListener('keydown', event => {
    if (event.target !== table || !scene || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' && scene.selected) on.open();
    else if (!move(scene, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  scroller.addEventListener('scroll', () => scene && paintRows(scene), { passive: true });
  setAttrs(table, { role: 'grid', tabindex: '0', 'aria-label': 'Trials; arrow keys select one', 'data-lm-suppress-shortcuts': 'true' });
  for (const space of [above, below]) setAttr(space, 'aria-hidden', 'true');

  return {
    node,
    paint(next) {
      const now = [next.shown, next.columns, next.order, next.selected, next.best, actions.stamp()];
      if (scene && now.every((one, index) => one === painted[index])) return;
      painted = now;
      scene = next;
      const id = next.selected?.id ?? '';
      const index = next.selected ? next.shown.indexOf(next.selected) : -1;
      headings.paint([...next.columns, ACTIONS]);
      setAttr(table, 'aria-rowcount', String(next.shown.length + 1));
      if (id !== selected && index >= 0) {
        above.style.height = '0';
        below.style.height = `${next.shown.length * ROW}px`;
        reveal(index);
      }
      selected = id;
      paintRows(next);
      setAttr(table, 'aria-activedescendant', index < 0 ? null : `${name}-${index}`);
      show(none, next.shown.length === 0 && next.tune.trials.length > 0);
    },
  };
}

const ACTIONS: Column = { key: 'actions', title: 'Actions', names: [], value: () => null, text: () => '' };

function heading(sort: (key: string) => void, scene: () => Scene | null): Part<Column> {
  const arrow = h('span', 'arrow');
  const label = h('span', 'cut');
  const button = h('button', 'sort', label, arrow);
  const node = h('th', '', button);
  button.type = 'button';
  node.scope = 'col';
  setAttr(button, 'data-lm-suppress-shortcuts', 'true');
  setAttr(arrow, 'aria-hidden', 'true');
  let key = '';
  button.addEventListener('click', () => sort(key));
  return {
    node,
    paint(column) {
      if (column === ACTIONS) {
        if (node.contains(button)) node.replaceChildren(h('span', 'unseen', column.title));
        return;
      }
      const order = scene()?.order;
      const mine = order?.key === column.key;
      key = column.key;
      setText(label, column.title);
      setAttr(button, 'title', `Sort by ${column.title}`);
      setText(arrow, mine ? (order.down ? '▼' : '▲') : '');
      setAttr(node, 'aria-sort', mine ? (order.down ? 'descending' : 'ascending') : 'none');
    },
  };
}

function row(name: string, actions: Actions, select: Select): Part<Line> {
  const sign = icon();
  const number = h('span');
  const star = h('span', '', ' ★', h('span', 'unseen', ' best'));
  const state = h('span', 'cut');
  const buttons = [actions.button('pause'), actions.button('resume'), actions.button('stop')];
  const last = h('td', 'buttons', ...buttons.map(one => one.node));
  const node = h('tr', '', h('td', 'number', number, star), h('td', '', h('span', 'cell-state', sign.node, state)), last);
  // The keyboard finds them below the table, where they do not scroll away.
  for (const one of buttons) one.node.tabIndex = -1;
  let id = '';
  node.addEventListener('click', () => select(id));
  return {
    node,
    paint({ trial, index, scene }) {
      const best = trial === scene.best;
      id = trial.id;
      node.id = `${name}-${index}`;
      setAttrs(node, { 'aria-rowindex': String(index + 2), 'aria-selected': String(trial === scene.selected) });
      node.classList.toggle('ray-magics-best-row', best);
      setText(number, String(trial.number));
      show(star, best);
      sign.paint(stateIcon(trial));
      fill(node, last, scene.columns, trial, state);
      for (const one of buttons) one.paint(trial);
    },
  };
}

function fill(node: HTMLElement, last: HTMLElement, columns: Column[], trial: Trial, state: HTMLElement): void {
  columns.forEach((column, index) => {
    const words = column.text(trial);
    if (index === 0) return;
    const cell = index === 1 ? state : node.children[index] === last ? node.insertBefore(h('td', 'cut'), last) : (node.children[index] as HTMLElement);
    setText(cell, words);
    setAttr(cell, 'title', words.length > WIDEST - 4 ? words : null);
  });
  while (node.children.length > columns.length + 1) last.previousElementSibling?.remove();
}
