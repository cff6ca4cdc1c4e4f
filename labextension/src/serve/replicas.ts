/** The replicas of a deployment, each with the last lines of its log. */
import { keyedList, type Component } from '../core/component';
import { disclosure } from '../core/disclosure';
import { h, makeScrollRegion, setAttr, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';
import { clock } from '../core/format';
import { logTail } from '../core/log-tail';
import { stateLabel } from '../core/state-icon';
import { hiddenLinesText, joinText, moreText } from '../core/text';
import type { Deployment, Replica } from './status';
import { stateLabelOf, wholeText } from './text';

const MAX_ROWS = 200;

interface ReplicaProps {
  replica: Replica;
  maxOngoing: number;
}

export function replicaList(): Component<Deployment> {
  const list = h('div', 'replicas');
  const more = h('div', 'muted');
  const rows = keyedList<ReplicaProps>(list, ({ replica }) => replica.id, replicaRow);
  setAttr(list, 'role', 'list');
  return {
    node: h('div', '', list, more),
    update({ replicas, maxOngoing, name }) {
      rows.update(replicas.slice(0, MAX_ROWS).map(replica => ({ replica, maxOngoing })));
      setAttr(list, 'aria-label', `Replicas of ${name}`);
      setTextOrHide(more, replicas.length === 0 ? 'No replica.' : moreText(replicas.length, MAX_ROWS));
    },
  };
}

function replicaRow(): Component<ReplicaProps> {
  const state = stateLabel();
  const version = h('span', 'chip');
  const name = h('span', 'name');
  const where = h('span', 'where');
  const ongoing = h('span');
  const age = h('span', 'muted');
  const log = replicaLog();
  const node = h('div', 'replica', h('span', 'replica-state', state.node, version), name, where, ongoing, age, log.button, log.node);
  setAttr(node, 'role', 'listitem');
  return {
    node,
    update({ replica, maxOngoing }) {
      state.update(stateLabelOf(replica.state));
      setTextOrHide(version, replica.version);
      setText(name, replica.name);
      setText(where, joinText([replica.node, replica.pid ? `pid ${replica.pid}` : ''], ', '));
      setText(ongoing, replica.ongoing === null ? '' : `${wholeText(replica.ongoing)} of ${wholeText(maxOngoing)} ongoing`);
      setText(age, `${clock(replica.age)} old`);
      log.update(replica);
    },
  };
}

function replicaLog(): Component<Replica> & { button: HTMLElement } {
  const hidden = h('div', 'muted hidden-lines');
  const lines = h('div', 'lines');
  const node = h('div', 'log', hidden, lines);
  const showTail = logTail(lines);
  const ofReplica = h('span', 'unseen');
  let current: Replica | null = null;
  const opener = disclosure(node, updateLines, h('span', '', 'Log'), ofReplica);
  makeScrollRegion(lines);
  suppressShortcuts(lines);

  function updateLines(): void {
    if (!current || !opener.isOpen()) return;
    setTextOrHide(hidden, hiddenLinesText(current.linesCut, wholeText));
    setAttr(lines, 'aria-label', `Log of ${current.name}`);
    showTail(current.log.map(text => ({ stream: '', text, repeats: 1 })));
  }

  return {
    node,
    button: opener.node,
    update(replica) {
      current = replica;
      setText(ofReplica, ` of ${replica.name}`);
      setVisible(opener.node, replica.log.length > 0 || opener.isOpen());
      updateLines();
    },
  };
}
