/** Rows under headings, found again by their keys; a column in which no row says anything is left out. */
import { keyedList, type Component } from './component';
import { button, columnHeading, h, setAttr, setText, setTextOrHide, setVisible } from './dom';
import { externalLink } from './external-link';
import { count, word } from './format';
import { sendCommand } from './pending-command';
import { sparkline } from './plot';
import { isEmptyCell, type Cell, type RowAction, type Table, type TableRow } from './sections';
import { stateLabel } from './state-icon';
import { NO_VALUE } from './text';
import type { Command, Send } from './transport';

const MAX_ROWS = 200;
const MAX_COLUMNS = 60;
const ACTIONS = ['stop', 'pause', 'resume'];

interface TableState {
  table: Table;
  kernelGone: boolean;
}

interface RowState {
  row: TableRow;
  columns: number[];
  hasActions: boolean;
  kernelGone: boolean;
}

export function table(send: Send): Component<TableState> {
  const title = h('div', 'title');
  const headings = h('tr');
  const body = h('tbody');
  const more = h('div', 'muted');
  const message = h('div', 'message');
  const grid = h('table', 'table', h('thead', '', headings), body);
  const node = h('div', '', title, h('div', 'scroll', grid), more, message);
  const names = keyedList<string>(headings, name => name, name => ({ node: columnHeading(name), update: () => undefined }));
  const showMessage = (text: string): void => setTextOrHide(message, text);
  const rows = keyedList<RowState>(body, ({ row }) => row.id, () => tableRow(send, showMessage));
  setAttr(message, 'role', 'status');
  showMessage('');
  return {
    node,
    update({ table, kernelGone }) {
      const shown = table.rows.slice(0, MAX_ROWS);
      const columns = table.columns.map((_, index) => index).filter(index => shown.some(({ cells }) => cells[index] && !isEmptyCell(cells[index]))).slice(0, MAX_COLUMNS);
      const hasActions = shown.some(({ actions }) => actions.length > 0);
      names.update([...columns.map(index => table.columns[index]!), ...(hasActions ? ['Actions'] : [])]);
      rows.update(shown.map(row => ({ row, columns, hasActions, kernelGone })));
      const hidden = table.hidden + table.rows.length - shown.length;
      setTextOrHide(title, table.title);
      setTextOrHide(more, hidden ? `and ${count(hidden)} more` : '');
      setAttr(grid, 'aria-label', table.title || null);
      setVisible(node, table.rows.length + table.hidden > 0);
    },
    dispose: rows.dispose,
  };
}

function tableRow(send: Send, showMessage: (text: string) => void): Component<RowState> {
  const node = h('tr');
  const buttons = h('td', 'cell-actions');
  const actions = keyedList<RowAction & { kernelGone: boolean }>(buttons, ({ name, part }) => `${name} ${part}`, () => actionButton(send, showMessage));
  let cells: CellView[] = [];
  return {
    node,
    update({ row, columns, hasActions, kernelGone }) {
      cells.slice(columns.length).forEach(cell => cell.node.remove());
      cells = columns.map((column, index) => {
        const value = row.cells[column] ?? { kind: 'text', text: '' };
        const before = cells[index];
        const cell = before?.kind === value.kind ? before : cellView(value.kind);
        if (before && cell !== before) before.node.replaceWith(cell.node);
        else if (!before) node.insertBefore(cell.node, node.children[index] ?? null);
        cell.update(value);
        return cell;
      });
      actions.update(row.actions.filter(({ name }) => ACTIONS.includes(name)).map(action => ({ ...action, kernelGone })));
      if (hasActions) node.append(buttons);
      else buttons.remove();
    },
    dispose: actions.dispose,
  };
}

interface CellView extends Component<Cell> {
  kind: Cell['kind'];
}

function cellView(kind: Cell['kind']): CellView {
  if (kind === 'state') return { kind, ...stateCell() };
  if (kind === 'link') return { kind, ...linkCell() };
  if (kind === 'curve') return { kind, ...curveCell() };
  return { kind, ...textCell(kind) };
}

function textCell(kind: 'text' | 'number'): Component<Cell> {
  const node = h('td', kind === 'number' ? 'number' : 'cell-text');
  return { node, update: cell => setText(node, ('text' in cell && cell.text) || NO_VALUE) };
}

function stateCell(): Component<Cell> {
  const label = stateLabel();
  return {
    node: h('td', '', label.node),
    update(cell) {
      if (cell.kind === 'state') label.update({ icon: cell.state, text: cell.text });
    },
  };
}

function linkCell(): Component<Cell> {
  const label = h('span');
  const text = h('span');
  const link = externalLink(label);
  return {
    node: h('td', '', link.node, text),
    update(cell) {
      if (cell.kind !== 'link') return;
      setText(label, cell.text);
      setText(text, link.update(cell.url) ? '' : cell.text);
    },
  };
}

function curveCell(): Component<Cell> {
  const node = h('td', 'cell-curve');
  return {
    node,
    update(cell) {
      if (cell.kind === 'curve') node.replaceChildren(cell.points.length > 1 ? sparkline(cell.points, cell.low) : NO_VALUE);
    },
  };
}

function actionButton(send: Send, showMessage: (text: string) => void): Component<RowAction & { kernelGone: boolean }> {
  let action: (RowAction & { kernelGone: boolean }) | null = null;
  let cancel: (() => void) | null = null;
  const draw = (): void => {
    setText(node, `${word(action?.name ?? '')}${cancel ? '…' : ''}`);
    setAttr(node, 'aria-label', `${word(action?.name ?? '')} ${action?.part || action?.run || ''}`.trim());
    setAttr(node, 'aria-disabled', cancel || action?.kernelGone ? 'true' : null);
  };
  const settled = (text: string): void => {
    cancel = null;
    showMessage(text);
    draw();
  };
  const node = button('small', event => {
    // The second half of a double click must not ask again.
    if (!action || cancel || action.kernelGone || event.detail > 1) return;
    const { name, run, part } = action;
    cancel = sendCommand(send, { action: name as Command['action'], run, ...(part && { part }) }, settled);
    draw();
  });
  return {
    node,
    update(next) {
      action = next;
      draw();
    },
    dispose: () => cancel?.(),
  };
}
