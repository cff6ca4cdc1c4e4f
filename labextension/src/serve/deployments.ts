/** The deployments of an application: a table in which each opens to show its replicas. */
import { keyedList, type Component } from '../core/component';
import { disclosure } from '../core/disclosure';
import { columnHeading, h, setAttr, setText, setTextOrHide, setVisible } from '../core/dom';
import { stateLabel } from '../core/state-icon';
import { moreText, NO_VALUE } from '../core/text';
import { messageBox } from './message-box';
import { replicaList } from './replicas';
import type { Application, Deployment } from './status';
import { decimalText, latencyText, newText, ongoingText, percentText, replicasText, resourcesText, scalingText, stateLabelOf, wholeText } from './text';

const MAX_ROWS = 200;

interface Column {
  title: string;
  text(deployment: Deployment): string;
  isBad?(deployment: Deployment): boolean;
}

const COLUMNS: Column[] = [
  { title: 'Replicas', text: replicasText },
  { title: 'Ongoing', text: ongoingText },
  { title: 'Requests/s', text: ({ metrics }) => decimalText(metrics.rate) },
  { title: 'p50 / p99', text: ({ metrics }) => latencyText(metrics) },
  { title: 'Errors', text: ({ metrics }) => percentText(metrics.errors), isBad: ({ metrics }) => (metrics.errors ?? 0) > 0 },
  { title: 'Each takes', text: resourcesText },
  { title: 'Restarts', text: ({ died }) => wholeText(died), isBad: ({ died }) => died > 0 },
];

interface DeploymentProps {
  deployment: Deployment;
  textAbove: string;
  isOnly: boolean;
}

export function deploymentTable(): Component<{ application: Application; textAbove: string }> {
  const titles = ['Deployment', 'State', ...COLUMNS.map(({ title }) => title)];
  const table = h('table', 'table deployments', h('thead', '', h('tr', '', ...titles.map(columnHeading))));
  const more = h('div', 'muted');
  const node = h('div', 'deployments-scroll', table, more);
  const bodies = keyedList<DeploymentProps>(table, ({ deployment }) => deployment.id, deploymentBody);
  return {
    node,
    update({ application, textAbove }) {
      const { deployments, message, name } = application;
      const isOnly = deployments.length === 1;
      bodies.update(deployments.slice(0, MAX_ROWS).map(deployment => ({ deployment, textAbove: textAbove + message, isOnly })));
      setAttr(table, 'aria-label', `Deployments of ${name}`);
      setTextOrHide(more, moreText(deployments.length, MAX_ROWS));
      setVisible(node, deployments.length > 0);
    },
  };
}

/** Each has a table body of its own: the row, what there is to say about it, and its replicas. */
function deploymentBody(): Component<DeploymentProps> {
  const main = mainRow();
  const notes = notesRow();
  const replicas = replicaList();
  const replicasRow = wideRow(replicas.node);
  const name = h('span', 'name');
  const ingress = h('span', 'muted', 'ingress');
  let current: Deployment | null = null;
  const opener = disclosure(replicasRow, updateReplicas, name);
  main.nameCell.append(opener.node, ' ', ingress);

  function updateReplicas(): void {
    if (current && opener.isOpen()) replicas.update(current);
  }

  return {
    node: h('tbody', '', main.node, notes.node, replicasRow),
    update(props) {
      const { deployment, isOnly } = props;
      current = deployment;
      setText(name, deployment.name);
      setVisible(ingress, deployment.ingress && !isOnly);
      main.update(deployment);
      notes.update(props);
      updateReplicas();
    },
  };
}

function mainRow(): Component<Deployment> & { nameCell: HTMLElement } {
  const nameCell = h('td', 'deployment-name');
  const state = stateLabel();
  const cells = COLUMNS.map(({ title }) => labelledCell(title));
  return {
    nameCell,
    node: h('tr', '', nameCell, h('td', 'deployment-state', state.node), ...cells),
    update(deployment) {
      state.update(stateLabelOf(deployment.status));
      COLUMNS.forEach((column, index) => {
        const [cell, text] = [cells[index]!, column.text(deployment)];
        setText(cell, text);
        cell.classList.toggle('ray-magics-bad', column.isBad?.(deployment) ?? false);
        cell.classList.toggle('ray-magics-blank', text === NO_VALUE || text === '0');
      });
    },
  };
}

/** In a narrow view, where the table's head is hidden, the style writes the label before the value. */
function labelledCell(title: string): HTMLElement {
  const node = h('td', 'number labelled');
  setAttr(node, 'data-label', title);
  return node;
}

function notesRow(): Component<DeploymentProps> {
  const scaling = h('div', 'muted');
  const message = messageBox();
  const node = wideRow(scaling, message.node);
  return {
    node,
    update({ deployment, textAbove }) {
      const { status, autoscaling, target } = deployment;
      const text = newText(deployment.message, textAbove);
      setTextOrHide(scaling, autoscaling ? scalingText(autoscaling, target) : '');
      message.update({ status, message: text });
      setVisible(node, autoscaling !== null || text !== '');
    },
  };
}

function wideRow(...children: HTMLElement[]): HTMLElement {
  const cell = h('td', '', ...children);
  cell.colSpan = COLUMNS.length + 2;
  return h('tr', 'wide-row', cell);
}
