/** The replicas of a deployment, each with the last lines of its log. */
import { h, keyed, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { clock, count, plural } from './format';
import { fold } from './fold';
import { follow } from './output';
import type { Deployment, Replica } from './serve-status';
import { statePart } from './serve-state';
import { whole } from './serve-words';

const MOST = 200;

interface Held {
  replica: Replica;
  max: number;
}

export function replicas(): Part<Deployment> {
  const list = h('div', 'replicas');
  const more = h('div', 'muted');
  const rows = keyed<Held>(list, held => held.replica.id, row);
  setAttr(list, 'role', 'list');
  return {
    node: h('div', '', list, more),
    paint(one) {
      const left = one.replicas.length - MOST;
      rows.paint(one.replicas.slice(0, MOST).map(replica => ({ replica, max: one.maxOngoing })));
      setAttr(list, 'aria-label', `Replicas of ${one.name}`);
      setLine(more, one.replicas.length === 0 ? 'No replica.' : left > 0 ? `and ${count(left)} more` : '');
    },
  };
}

function row(): Part<Held> {
  const state = statePart();
  const version = h('span', 'chip');
  const name = h('span', 'name');
  const where = h('span', 'where');
  const ongoing = h('span');
  const age = h('span', 'muted');
  const log = logOf();
  const node = h('div', 'replica', h('span', 'replica-state', state.node, version), name, where, ongoing, age, log.button, log.node);
  setAttr(node, 'role', 'listitem');
  return {
    node,
    paint({ replica, max }) {
      state.paint(replica.state);
      setText(version, replica.version);
      show(version, replica.version !== '');
      setText(name, replica.name);
      setText(where, [replica.node, replica.pid ? `pid ${replica.pid}` : ''].filter(Boolean).join(', '));
      setText(ongoing, replica.ongoing === null ? '' : `${whole(replica.ongoing)} of ${whole(max)} ongoing`);
      setText(age, `${clock(replica.age)} old`);
      log.paint(replica);
    },
  };
}

interface Log extends Part<Replica> {
  button: HTMLElement;
}

function logOf(): Log {
  const hidden = h('div', 'muted hidden-lines');
  const lines = h('div', 'lines');
  const node = h('div', 'log', hidden, lines);
  const tail = follow(lines);
  const label = h('span', '', 'Log');
  const whose = h('span', 'unseen');
  let replica: Replica | null = null;
  const button = fold(node, draw, label, whose);
  setAttrs(lines, { tabindex: '0', role: 'region', 'data-lm-suppress-shortcuts': 'true' });

  function draw(): void {
    if (!replica || !button.open()) return;
    const { log, linesCut, name } = replica;
    setLine(hidden, linesCut ? `${whole(linesCut)} earlier ${plural('line', linesCut)} not shown` : '');
    setAttr(lines, 'aria-label', `Log of ${name}`);
    tail(log.map(text => ({ stream: '', text, repeats: 1 })));
  }

  return {
    node,
    button: button.node,
    paint(next) {
      replica = next;
      setText(whose, ` of ${next.name}`);
      show(button.node, next.log.length > 0 || button.open());
      draw();
    },
  };
}
