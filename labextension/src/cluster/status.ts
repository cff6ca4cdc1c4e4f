/** The status of a cluster, as the kernel sends it (tests/data/cluster.json). */
import { asCount, asId, asListOf, asNumber, asObject, asState, asText, asTextUpTo, isTrue } from '../core/json-readers';
import { readRun } from '../core/status';

export type Cluster = ReturnType<typeof readCluster>;
export type Meter = ReturnType<typeof readMeter>;
export type Node = ReturnType<typeof readNode>;
export type Waiting = ReturnType<typeof readWaiting>;

/** How much of a resource is used. */
const readMeter = asObject({
  name: asText,
  used: asNumber,
  total: asNumber,
  unit: asText,
});

const readNode = asObject({
  id: asId,
  name: asText,
  alive: value => value !== false,
  head: isTrue,
  meters: asListOf(readMeter),
  note: asText,
});

/** Requests for resources that cannot be met now. */
const readWaiting = asObject({
  request: asText,
  count: asNumber,
  why: asTextUpTo(2000),
});

export const readCluster = asObject({
  state: asState,
  address: asText,
  dashboard: asTextUpTo(2000),
  ray: asText,
  python: asText,
  message: asTextUpTo(2000),
  meters: asListOf(readMeter),
  nodes: asListOf(readNode),
  tasks: asListOf(asCount),
  actors: asListOf(asCount),
  waiting: asListOf(readWaiting),
  runs: asListOf(readRun),
});
