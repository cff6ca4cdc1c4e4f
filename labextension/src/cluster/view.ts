/** The cluster: its resources, nodes, tasks, actors, what waits and why, and the runs of this kernel. */
import { keyedList, type Component } from '../core/component';
import { countChips } from '../core/count-chips';
import { h, liveRegion, setAttr, setAttrs, setText, setTextOrHide, setVisible } from '../core/dom';
import { externalLink } from '../core/external-link';
import { count, sentence } from '../core/format';
import { lookUp } from '../core/json-readers';
import { liveView, type ViewState } from '../core/live-view';
import { percentWidth } from '../core/progress-bar';
import { runTable } from '../core/run-table';
import { stateIcon } from '../core/state-icon';
import { atAge, isLive, kindOf } from '../core/status';
import { joinText, KERNEL_GONE } from '../core/text';
import type { Send } from '../core/transport';
import { nodeTable, usageText } from './nodes';
import { readCluster, type Cluster, type Meter, type Waiting } from './status';

const MAX_WAITING = 50;
const ALMOST_FULL = 0.9; // of a memory

const STATES: Record<string, string> = { connected: 'Connected', lost: 'Connection lost', none: 'No cluster' };
const ADVICE: Record<string, string> = {
  lost: 'The cluster does not answer. Type %ray_init --restart to start or join one again.',
  none: 'This kernel is connected to no cluster. Type %ray_init, or run a cell with %%ray_remote.',
};

export const mount = liveView(clusterCard, snapshot => kindOf(snapshot) === 'cluster' && readCluster(snapshot).runs.some(isLive));

function clusterCard(send: Send): Component<ViewState> {
  const head = header();
  const message = h('div', 'why');
  const kernelNotice = h('div', 'why');
  const meters = h('div', 'meters');
  const meterList = keyedList<Meter>(meters, meter => meter.name, meterGauge);
  const nodes = nodeTable();
  const tasks = countChips('Tasks', 'no tasks');
  const actors = countChips('Actors', 'no actors');
  const waiting = waitingList();
  const runs = runTable(send);
  const runSection = h('div', 'section', h('div', 'title', 'Runs of this kernel'), runs.node);
  const details = h('div', 'cluster', meters, tasks.node, actors.node, waiting.node, nodes.node, runSection);
  const node = h('section', 'card', head.node, message, kernelNotice, details);
  setAttr(node, 'aria-label', 'Ray cluster');
  return {
    node,
    update({ snapshot, age, kernelGone }) {
      const cluster = readCluster(snapshot);
      head.update(cluster);
      setTextOrHide(message, cluster.message ? sentence(cluster.message) : (lookUp(ADVICE, cluster.state) ?? ''));
      setTextOrHide(kernelNotice, kernelGone ? KERNEL_GONE : '');
      meterList.update(cluster.meters);
      setVisible(meters, cluster.meters.length > 0);
      nodes.update(cluster.nodes);
      tasks.update(cluster.tasks);
      actors.update(cluster.actors);
      waiting.update(cluster.waiting);
      runs.update(cluster.runs.map(run => atAge(run, age, kernelGone)));
      setVisible(runSection, cluster.runs.length > 0);
      setVisible(details, cluster.state === 'connected' || cluster.nodes.length > 0);
      node.classList.toggle('ray-magics-old', kernelGone || cluster.state === 'lost');
    },
    dispose: runs.dispose,
  };
}

function header(): Component<Cluster> {
  const icon = stateIcon();
  const state = h('span', 'state');
  const address = h('span', 'name');
  const versions = h('span', 'muted');
  const dashboard = externalLink('Dashboard');
  const announcement = liveRegion('span');
  let stateBefore = '';
  return {
    node: h('div', 'head', icon.node, state, address, versions, h('span', 'right', dashboard.node), announcement),
    update(cluster) {
      const text = lookUp(STATES, cluster.state) ?? cluster.state;
      icon.update(cluster.state);
      setText(state, text);
      setText(address, cluster.address);
      setText(versions, joinText([cluster.ray && `Ray ${cluster.ray}`, cluster.python && `Python ${cluster.python}`]));
      dashboard.update(cluster.dashboard);
      if (stateBefore && stateBefore !== cluster.state) setText(announcement, `Ray cluster: ${text}`);
      stateBefore = cluster.state;
    },
  };
}

function meterGauge(): Component<Meter> {
  const name = h('span', 'meter-name');
  const amount = h('span', 'number');
  const fill = h('div', 'bar-done');
  const track = h('div', 'bar', fill);
  setAttrs(track, { role: 'meter', 'aria-valuemin': '0' });
  return {
    node: h('div', 'meter', h('div', 'meter-text', name, amount), track),
    update(meter) {
      const text = usageText(meter);
      const share = meter.total > 0 ? Math.min(meter.used / meter.total, 1) : 0;
      setText(name, meter.name);
      setText(amount, text);
      setAttr(track, 'aria-label', meter.name);
      setAttr(track, 'aria-valuemax', String(meter.total));
      setAttr(track, 'aria-valuenow', String(Math.min(meter.used, meter.total)));
      setAttr(track, 'aria-valuetext', text);
      fill.style.width = percentWidth(share);
      track.classList.toggle('ray-magics-full', meter.unit === 'bytes' && share > ALMOST_FULL);
    },
  };
}

function waitingList(): Component<Waiting[]> {
  const list = h('ul', 'waiting');
  const node = h('div', 'row', h('span', 'title', 'Waiting'), list);
  const items = keyedList<Waiting>(list, ({ request }) => request, waitingItem);
  return {
    node,
    update(waiting) {
      items.update(waiting.slice(0, MAX_WAITING));
      setVisible(node, waiting.length > 0);
    },
  };
}

function waitingItem(): Component<Waiting> {
  const number = h('b', 'number');
  const request = h('span', 'name');
  const why = h('span', 'muted');
  return {
    node: h('li', '', number, ' × ', request, ' ', why),
    update(waiting) {
      setText(number, count(waiting.count));
      setText(request, waiting.request);
      setText(why, waiting.why);
    },
  };
}
