/** The cluster: its resources, nodes, tasks, actors, what waits and why, and the runs of this kernel. */
import { h, keyed, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { count, sentence, usage } from './format';
import { icon } from './icon';
import { GONE, live, type Seen } from './live';
import { heading, table } from './runs';
import type { Mount, Source } from './source';
import { aged, isLive, kindOf, readCluster, type Cluster, type Meter, type Node, type Waiting } from './status';

const NODES = 200;
const FEW = 4;

const WORDS: Record<string, string> = { connected: 'Connected', lost: 'Connection lost', none: 'No cluster' };
const EMPTY: Record<string, string> = {
  lost: 'The cluster does not answer. Type %ray_init --restart to start or join one again.',
  none: 'This kernel is connected to no cluster. Type %ray_init, or run a cell with %%ray_remote.',
};

export const mount: Mount = (root, source) =>
  live(root, source, page(command => source.send(command)), snapshot => kindOf(snapshot) === 'cluster' && readCluster(snapshot).runs.some(isLive));

function page(send: Source['send']): Part<Seen> {
  const head = header();
  const message = h('div', 'why');
  const left = h('div', 'why');
  const meters = h('div', 'meters');
  const gauges = keyed<Meter>(meters, meter => meter.name, gauge);
  const nodes = nodeTable();
  const tasks = chips('Tasks', 'no tasks');
  const actors = chips('Actors', 'no actors');
  const waiting = waitingList();
  const runs = table(send);
  const launched = h('div', 'section', h('div', 'title', 'Runs of this kernel'), runs.node);
  const details = h('div', 'cluster', meters, tasks.node, actors.node, waiting.node, nodes.node, launched);
  const node = h('section', 'card', head.node, message, left, details);
  setAttr(node, 'aria-label', 'Ray cluster');
  return {
    node,
    paint({ snapshot, age, gone }) {
      const cluster = readCluster(snapshot);
      head.paint(cluster);
      setLine(message, words(cluster));
      setLine(left, gone ? GONE : '');
      gauges.paint(cluster.meters);
      show(meters, cluster.meters.length > 0);
      nodes.paint(cluster.nodes);
      tasks.paint(cluster.tasks);
      actors.paint(cluster.actors);
      waiting.paint(cluster.waiting);
      runs.paint(cluster.runs.map(run => aged(run, age, gone)));
      show(launched, cluster.runs.length > 0);
      show(details, cluster.state === 'connected' || cluster.nodes.length > 0);
      node.classList.toggle('ray-magics-old', gone || cluster.state === 'lost');
    },
    dispose: runs.dispose,
  };
}

function words(cluster: Cluster): string {
  return cluster.message ? sentence(cluster.message) : (EMPTY[cluster.state] ?? '');
}

function header(): Part<Cluster> {
  const sign = icon();
  const state = h('span', 'state');
  const address = h('span', 'name');
  const versions = h('span', 'muted');
  const link = h('a', 'link', 'Dashboard', h('span', 'unseen', ' (opens in a new tab)'));
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  setAttr(link, 'data-lm-suppress-shortcuts', 'true');
  const news = h('span', 'unseen');
  setAttr(news, 'aria-live', 'polite');
  let before = '';
  return {
    node: h('div', 'head', sign.node, state, address, versions, h('span', 'right', link), news),
    paint(cluster) {
      sign.paint(cluster.state);
      setText(state, WORDS[cluster.state] ?? cluster.state);
      setText(address, cluster.address);
      setText(versions, [cluster.ray && `Ray ${cluster.ray}`, cluster.python && `Python ${cluster.python}`].filter(Boolean).join(' · '));
      const url = webAddress(cluster.dashboard);
      setAttr(link, 'href', url);
      show(link, url !== null);
      if (before && before !== cluster.state) setText(news, `Ray cluster: ${WORDS[cluster.state] ?? cluster.state}`);
      before = cluster.state;
    },
  };
}

/** The address if a browser may follow it, else null. */
export function webAddress(text: string): string | null {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

function gauge(): Part<Meter> {
  const name = h('span', 'meter-name');
  const amount = h('span', 'number');
  const fill = h('div', 'bar-done');
  const track = h('div', 'bar', fill);
  setAttrs(track, { role: 'meter', 'aria-valuemin': '0' });
  return {
    node: h('div', 'meter', h('div', 'meter-text', name, amount), track),
    paint(meter) {
      const text = usage(meter.used, meter.total, meter.unit);
      const share = meter.total > 0 ? Math.min(meter.used / meter.total, 1) : 0;
      setText(name, meter.name);
      setText(amount, text);
      setAttr(track, 'aria-label', meter.name);
      setAttrs(track, { 'aria-valuemax': String(meter.total), 'aria-valuenow': String(Math.min(meter.used, meter.total)), 'aria-valuetext': text });
      fill.style.width = `${(100 * share).toFixed(2)}%`;
      track.classList.toggle('ray-magics-full', meter.unit === 'bytes' && share > 0.9);
    },
  };
}

function nodeTable(): Part<Node[]> {
  const summary = h('summary', 'title');
  const headings = h('tr');
  const body = h('tbody');
  const more = h('div', 'muted');
  const node = h('details', 'section', summary, h('div', 'scroll', h('table', 'table nodes', h('thead', '', headings), body)), more);
  setAttr(summary, 'data-lm-suppress-shortcuts', 'true');
  let columns: string[] = [];
  let seen = false;
  const titles = keyed<string>(headings, name => name, name => ({ node: heading(name), paint: () => undefined }));
  const rows = keyed<Node>(body, one => one.id, () => nodeRow(() => columns));
  return {
    node,
    paint(nodes) {
      columns = [...new Set(nodes.flatMap(one => one.meters.map(meter => meter.name)))];
      titles.paint(['Node', 'State', ...columns]);
      rows.paint(nodes.slice(0, NODES));
      setText(summary, nodeWords(nodes));
      setText(more, nodes.length > NODES ? `and ${count(nodes.length - NODES)} more` : '');
      if (!seen && nodes.length) node.open = nodes.length > 1 && nodes.length <= FEW;
      seen ||= nodes.length > 0;
      show(node, nodes.length > 0);
    },
  };
}

function nodeWords(nodes: Node[]): string {
  const dead = nodes.filter(one => !one.alive).length;
  return `${count(nodes.length)} ${nodes.length === 1 ? 'node' : 'nodes'}${dead ? `, ${count(dead)} dead` : ''}`;
}

function nodeRow(columns: () => string[]): Part<Node> {
  const name = h('td', 'name');
  const state = h('td');
  const node = h('tr', '', name, state);
  return {
    node,
    paint(one) {
      setText(name, one.name);
      setAttr(name, 'title', one.name);
      setText(state, [one.alive ? 'alive' : 'dead', one.head && 'head', one.note].filter(Boolean).join(', '));
      node.classList.toggle('ray-magics-bad', !one.alive);
      columns().forEach((column, index) => {
        const cell = node.children[index + 2] ?? node.appendChild(h('td', 'number'));
        const meter = one.meters.find(({ name }) => name === column);
        setText(cell, meter ? usage(meter.used, meter.total, meter.unit) : '–');
      });
      while (node.children.length > columns().length + 2) node.lastElementChild?.remove();
    },
  };
}

/** Ray's states with their numbers: "3 running", "2 pending node assignment". */
export function chips(title: string, none: string): Part<[string, number][]> {
  const list = h('span', 'chips');
  const empty = h('span', 'muted', none);
  const node = h('div', 'row', h('span', 'title', title), list, empty);
  const parts = keyed<[string, number]>(list, ([state]) => state, chip);
  return {
    node,
    paint(states) {
      const some = states.filter(([, number]) => number > 0);
      parts.paint(some);
      show(list, some.length > 0);
      show(empty, some.length === 0);
    },
  };
}

function chip(): Part<[string, number]> {
  const number = h('b', 'number');
  const state = h('span');
  return {
    node: h('span', 'chip', number, ' ', state),
    paint([name, value]) {
      setText(number, count(value));
      setText(state, name.toLowerCase().replaceAll('_', ' '));
    },
  };
}

function waitingList(): Part<Waiting[]> {
  const list = h('ul', 'waiting');
  const node = h('div', 'row', h('span', 'title', 'Waiting'), list);
  const parts = keyed<Waiting>(list, ({ request }) => request, waitingItem);
  return {
    node,
    paint(waiting) {
      parts.paint(waiting.slice(0, 50));
      show(node, waiting.length > 0);
    },
  };
}

function waitingItem(): Part<Waiting> {
  const number = h('b', 'number');
  const request = h('span', 'name');
  const why = h('span', 'muted');
  return {
    node: h('li', '', number, ' × ', request, ' ', why),
    paint(one) {
      setText(number, count(one.count));
      setText(request, one.request);
      setText(why, one.why);
    },
  };
}
