/** The nodes of a cluster: a table with a column for each resource. */
import { keyedList, type Component } from '../core/component';
import { columnHeading, h, setAttr, setText, setVisible, suppressShortcuts } from '../core/dom';
import { count, plural, usage } from '../core/format';
import { asText } from '../core/json-readers';
import { joinText, moreText, NO_VALUE } from '../core/text';
import type { Meter, Node } from './status';

const MAX_ROWS = 200;
const OPEN_UP_TO = 4; // nodes; a longer table is closed at first

export function nodeTable(): Component<Node[]> {
  const summary = h('summary', 'title');
  const head = h('tr');
  const body = h('tbody');
  const more = h('div', 'muted');
  const node = h('details', 'section', summary, h('div', 'scroll', h('table', 'table nodes', h('thead', '', head), body)), more);
  let resources: string[] = [];
  let hadNodes = false;
  const headings = keyedList<string>(head, name => name, name => ({ node: columnHeading(name), update: () => undefined }));
  const rows = keyedList<Node>(body, one => one.id, () => nodeRow(() => resources));
  suppressShortcuts(summary);
  return {
    node,
    update(nodes) {
      resources = [...new Set(nodes.flatMap(one => one.meters.map(meter => meter.name)))];
      headings.update(['Node', 'State', ...resources]);
      rows.update(nodes.slice(0, MAX_ROWS));
      setText(summary, summaryText(nodes));
      setText(more, moreText(nodes.length, MAX_ROWS));
      if (!hadNodes && nodes.length) node.open = nodes.length > 1 && nodes.length <= OPEN_UP_TO;
      hadNodes ||= nodes.length > 0;
      setVisible(node, nodes.length > 0);
    },
  };
}

function summaryText(nodes: Node[]): string {
  const dead = nodes.filter(one => !one.alive).length;
  return `${count(nodes.length)} ${plural('node', nodes.length)}${dead ? `, ${count(dead)} dead` : ''}`;
}

function nodeRow(resources: () => string[]): Component<Node> {
  const name = h('td', 'name');
  const state = h('td');
  const node = h('tr', '', name, state);
  return {
    node,
    update(one) {
      const columns = resources();
      const nodeName = one.name || asText(one.id);
      setText(name, nodeName);
      setAttr(name, 'title', nodeName);
      setText(state, joinText([one.alive ? 'alive' : 'dead', one.head && 'head', one.note], ', '));
      node.classList.toggle('ray-magics-bad', !one.alive);
      columns.forEach((resource, index) => {
        const cell = node.children[index + 2] ?? node.appendChild(h('td', 'number'));
        const meter = one.meters.find(({ name }) => name === resource);
        setText(cell, meter ? usageText(meter) : NO_VALUE);
      });
      while (node.children.length > columns.length + 2) node.lastElementChild?.remove();
    },
  };
}

/** "1 of 2", "0.5 of 2 GiB" */
export function usageText({ used, total, unit }: Meter): string {
  return usage(used, total, unit);
}
