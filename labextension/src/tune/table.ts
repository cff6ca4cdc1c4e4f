/** The table of trials. Of many thousands only the rows in sight are in the page. */
import { keyedList, type Component } from '../core/component';
import { button, h, setAttr, setAttrs, setText, setVisible, suppressShortcuts } from '../core/dom';
import { stateIcon } from '../core/state-icon';
import type { TrialActions } from './actions';
import type { Column } from './columns';
import type { SearchView, Select } from './search-view';
import { iconOf, type Trial } from './status';

// Pixels, as in the style: measured they would be those of a table that has no rows yet.
const ROW_HEIGHT = 28;
const TABLE_HEIGHT = 364;
const BUTTONS_WIDTH = 138;
const ROWS_BEYOND = 6; // above and below those in sight
const MAX_WIDTH = 26; // of a column, in characters

interface RowProps {
  trial: Trial;
  index: number;
  view: SearchView;
}

interface Handlers {
  select: Select;
  sortBy(key: string): void;
  openDetails(): void;
}

let tables = 0;

export function trialTable(actions: TrialActions, on: Handlers): Component<SearchView> {
  tables += 1;
  const idPrefix = `ray-magics-trials-${tables}`;
  const headRow = h('tr');
  const spaceAbove = h('tbody');
  const body = h('tbody');
  const spaceBelow = h('tbody');
  const table = h('table', 'table trials', h('thead', '', headRow), spaceAbove, body, spaceBelow);
  const scroller = h('div', 'trials-scroll', table);
  const empty = h('div', 'empty', 'No trial passes the filter.');
  const node = h('div', '', scroller, empty);
  const headings = keyedList<Column>(headRow, column => column.key, () => heading(on.sortBy, () => current));
  const rows = keyedList<RowProps>(body, ({ trial }) => trial.id, () => trialRow(idPrefix, actions, on.select));
  const widths = new Map<string, number>();
  let current: SearchView | null = null;
  let selectedBefore = '';
  let drawnFor: unknown[] = [];

  const drawRows = (view: SearchView): void => {
    const trials = view.visible;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - ROWS_BEYOND);
    const end = Math.min(trials.length, first + Math.ceil(TABLE_HEIGHT / ROW_HEIGHT) + 2 * ROWS_BEYOND);
    const begin = Math.min(first, end);
    rows.update(trials.slice(begin, end).map((trial, offset) => ({ trial, index: begin + offset, view })));
    spaceAbove.style.height = `${begin * ROW_HEIGHT}px`;
    spaceBelow.style.height = `${(trials.length - end) * ROW_HEIGHT}px`;
    setWidths(view, trials.slice(begin, end));
  };

  /** Columns grow with what is seen in them and never shrink, so that they stay where they are while one scrolls. */
  const setWidths = (view: SearchView, drawn: Trial[]): void => {
    let total = 0;
    view.columns.forEach((column, index) => {
      const longest = Math.max(column.title.length + 4, ...drawn.map(trial => column.text(trial).length + 3), widths.get(column.key) ?? 6);
      const textWidth = Math.min(longest, MAX_WIDTH);
      const width = textWidth + (column.key === 'state' ? 3 : 0);
      const cell = headRow.children[index] as HTMLElement;
      widths.set(column.key, textWidth);
      total += width;
      if (cell.style.width !== `${width}ch`) cell.style.width = `${width}ch`;
    });
    const tableWidth = `max(100%, calc(${total}ch + ${BUTTONS_WIDTH}px))`;
    (headRow.lastElementChild as HTMLElement).style.width = `${BUTTONS_WIDTH}px`;
    if (table.style.width !== tableWidth) table.style.width = tableWidth;
  };

  const scrollTo = (index: number): void => {
    const [top, below] = [index * ROW_HEIGHT, TABLE_HEIGHT - 2 * ROW_HEIGHT];
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top > scroller.scrollTop + below) scroller.scrollTop = top - below;
  };

  /** Returns whether the key is one that moves the selection. */
  const moveSelection = ({ visible, selected }: SearchView, key: string): boolean => {
    const page = Math.max(1, Math.floor(TABLE_HEIGHT / ROW_HEIGHT) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[key];
    if (step === undefined || visible.length === 0) return false;
    const from = selected ? visible.indexOf(selected) : step > 0 ? -1 : 0;
    const next = visible[Math.max(0, Math.min(visible.length - 1, from + step))];
    if (next) on.select(next.id);
    return true;
  };

  table.addEventListener('keydown', event => {
    if (event.target !== table || !current || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' && current.selected) on.openDetails();
    else if (!moveSelection(current, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  scroller.addEventListener('scroll', () => current && drawRows(current), { passive: true });
  setAttrs(table, { role: 'grid', tabindex: '0', 'aria-label': 'Trials; arrow keys select one' });
  suppressShortcuts(table);
  for (const space of [spaceAbove, spaceBelow]) setAttr(space, 'aria-hidden', 'true');

  return {
    node,
    update(view) {
      const { visible, columns, order, selected, best } = view;
      const shows = [visible, columns, order, selected, best, actions.version()];
      if (current && shows.every((value, index) => value === drawnFor[index])) return;
      drawnFor = shows;
      current = view;
      const id = selected?.id ?? '';
      const index = selected ? visible.indexOf(selected) : -1;
      headings.update([...columns, ACTIONS_COLUMN]);
      setAttr(table, 'aria-rowcount', String(visible.length + 1));
      if (id !== selectedBefore && index >= 0) {
        // The table must be long enough before it can be scrolled there.
        spaceAbove.style.height = '0';
        spaceBelow.style.height = `${visible.length * ROW_HEIGHT}px`;
        scrollTo(index);
      }
      selectedBefore = id;
      drawRows(view);
      setAttr(table, 'aria-activedescendant', index < 0 ? null : `${idPrefix}-${index}`);
      setVisible(empty, visible.length === 0 && view.search.trials.length > 0);
    },
  };
}

const ACTIONS_COLUMN: Column = { key: 'actions', title: 'Actions', aliases: [], value: () => null, text: () => '' };

function heading(sortBy: (key: string) => void, view: () => SearchView | null): Component<Column> {
  const arrow = h('span', 'arrow');
  const label = h('span', 'cut');
  const sort = button('sort', () => sortBy(key), label, arrow);
  const node = h('th', '', sort);
  let key = '';
  node.scope = 'col';
  setAttr(arrow, 'aria-hidden', 'true');
  return {
    node,
    update(column) {
      if (column === ACTIONS_COLUMN) {
        if (node.contains(sort)) node.replaceChildren(h('span', 'unseen', column.title));
        return;
      }
      const order = view()?.order;
      const isSorted = order?.key === column.key;
      key = column.key;
      setText(label, column.title);
      setAttr(sort, 'title', `Sort by ${column.title}`);
      setText(arrow, isSorted ? (order.descending ? '▼' : '▲') : '');
      setAttr(node, 'aria-sort', isSorted ? (order.descending ? 'descending' : 'ascending') : 'none');
    },
  };
}

function trialRow(idPrefix: string, actions: TrialActions, select: Select): Component<RowProps> {
  const icon = stateIcon();
  const number = h('span');
  const star = h('span', '', ' ★', h('span', 'unseen', ' best'));
  const state = h('span', 'cut');
  const buttons = actions.buttons();
  const buttonsCell = h('td', 'buttons', ...buttons.map(one => one.node));
  const node = h('tr', '', h('td', 'number', number, star), h('td', '', h('span', 'cell-state', icon.node, state)), buttonsCell);
  let id = '';
  // The keyboard finds them below the table, where they do not scroll away.
  for (const one of buttons) one.node.tabIndex = -1;
  node.addEventListener('click', () => select(id));
  return {
    node,
    update({ trial, index, view }) {
      const isBest = trial === view.best;
      id = trial.id;
      node.id = `${idPrefix}-${index}`;
      setAttrs(node, { 'aria-rowindex': String(index + 2), 'aria-selected': String(trial === view.selected) });
      node.classList.toggle('ray-magics-best-row', isBest);
      setText(number, String(trial.number));
      setVisible(star, isBest);
      icon.update(iconOf(trial));
      setCells(node, state, buttonsCell, view.columns, trial);
      for (const one of buttons) one.update(trial);
    },
  };
}

/** The cell of the trial's number, the first column, is set already. */
function setCells(row: HTMLElement, state: HTMLElement, buttonsCell: HTMLElement, columns: Column[], trial: Trial): void {
  columns.slice(1).forEach((column, offset) => {
    const text = column.text(trial);
    const child = row.children[offset + 1] as HTMLElement;
    const cell = offset === 0 ? state : child === buttonsCell ? row.insertBefore(h('td', 'cut'), buttonsCell) : child;
    setText(cell, text);
    setAttr(cell, 'title', text.length > MAX_WIDTH - 4 ? text : null);
  });
  while (row.children.length > columns.length + 1) buttonsCell.previousElementSibling?.remove();
}
