/** The deployments of an application: a table in which each unfolds into its replicas. */
import { h, keyed, setAttr, setLine, setText, show, type Part } from '../core/dom';
import { count } from '../core/format';
import { fold } from '../core/disclosure';
import { heading } from '../core/run-table';
import { replicas } from './replicas';
import { messageBox, statePart } from './state';
import type { App, Deployment, Figures } from './status';
import { few, millis, ongoingText, percent, replicasText, resourcesText, scalingText, unsaid, whole } from './text';

const MOST = 200;

interface Column {
  title: string;
  text(one: Deployment): string;
  bad?(one: Deployment): boolean;
}

const COLUMNS: Column[] = [
  { title: 'Replicas', text: replicasText },
  { title: 'Ongoing', text: ongoingText },
  { title: 'Requests/s', text: one => few(one.figures.rate) },
  { title: 'p50 / p99', text: one => pairText(one.figures) },
  { title: 'Errors', text: one => percent(one.figures.errors), bad: one => (one.figures.errors ?? 0) > 0 },
  { title: 'Each takes', text: resourcesText },
  { title: 'Restarts', text: one => whole(one.died), bad: one => one.died > 0 },
];

interface Row {
  one: Deployment;
  /** What was said already. */
  above: string;
  several: boolean;
}

export function deployments(): Part<{ app: App; above: string }> {
  const titles = ['Deployment', 'State', ...COLUMNS.map(({ title }) => title)];
  const table = h('table', 'table deployments', h('thead', '', h('tr', '', ...titles.map(heading))));
  const more = h('div', 'muted');
  const node = h('div', 'deployments-scroll', table, more);
  const rows = keyed<Row>(table, ({ one }) => one.id, row);
  return {
    node,
    paint({ app, above }) {
      const all = app.deployments;
      rows.paint(all.slice(0, MOST).map(one => ({ one, above: above + app.message, several: all.length > 1 })));
      setAttr(table, 'aria-label', `Deployments of ${app.name}`);
      setLine(more, all.length > MOST ? `and ${count(all.length - MOST)} more` : '');
      show(node, all.length > 0);
    },
  };
}

/** A body of its own for each: the row, what there is to say about it, and its replicas. */
function row(): Part<Row> {
  const main = mainRow();
  const notes = notesRow();
  const inside = replicas();
  const below = wide(inside.node);
  const label = h('span', 'name');
  const ingress = h('span', 'muted', 'ingress');
  let one: Deployment | null = null;
  const unfold = fold(below, draw, label);
  main.name.append(unfold.node, ' ', ingress);

  function draw(): void {
    if (one && unfold.open()) inside.paint(one);
  }

  return {
    node: h('tbody', '', main.node, notes.node, below),
    paint(next) {
      one = next.one;
      setText(label, one.name);
      show(ingress, one.ingress && next.several);
      main.paint(one);
      notes.paint(next);
      draw();
    },
  };
}

function mainRow(): Part<Deployment> & { name: HTMLElement } {
  const name = h('td', 'deployment-name');
  const state = statePart();
  const cells = COLUMNS.map(({ title }) => labelled(title));
  return {
    name,
    node: h('tr', '', name, h('td', 'deployment-state', state.node), ...cells),
    paint(one) {
      state.paint(one.status);
      COLUMNS.forEach(({ text, bad }, index) => {
        const [cell, words] = [cells[index]!, text(one)];
        setText(cell, words);
        cell.classList.toggle('ray-magics-bad', bad?.(one) ?? false);
        cell.classList.toggle('ray-magics-blank', words === '–' || words === '0');
      });
    },
  };
}

function labelled(title: string): HTMLElement {
  const node = h('td', 'number labelled');
  setAttr(node, 'data-label', title);
  return node;
}

function notesRow(): Part<Row> {
  const scaling = h('div', 'muted');
  const message = messageBox();
  const node = wide(scaling, message.node);
  return {
    node,
    paint({ one, above }) {
      const words = unsaid(one.message, above);
      setLine(scaling, one.autoscaling ? scalingText(one.autoscaling, one.target) : '');
      message.paint({ status: one.status, message: words });
      show(node, one.autoscaling !== null || words !== '');
    },
  };
}

/** "3.2 / 12.1 ms" */
function pairText({ p50, p99 }: Figures): string {
  return p50 === null && p99 === null ? few(null) : `${few(p50)} / ${millis(p99)}`;
}

function wide(...children: HTMLElement[]): HTMLElement {
  const cell = h('td', '', ...children);
  cell.colSpan = COLUMNS.length + 2;
  return h('tr', 'wide-row', cell);
}
