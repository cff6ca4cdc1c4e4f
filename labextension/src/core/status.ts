/** The JSON of the statuses (tests/data/*.json), read so that no missing or odd field can break a view. */
import { plain } from './format';

export interface Run {
  id: string;
  name: string;
  verb: string;
  state: string;
  unit: string;
  total: number | null;
  done: number;
  failed: number;
  running: number;
  elapsed: number;
  rate: number | null;
  remaining: number | null;
  why: string;
  workers: Worker[];
  note: string;
  error: string;
  stoppable: boolean;
}

export interface Worker {
  id: string;
  label: string;
  lines: number;
  hidden: number;
  tail: Line[];
}

export interface Line {
  stream: string;
  text: string;
  repeats: number;
}

export interface Meter {
  name: string;
  used: number;
  total: number;
  unit: string;
}

export interface Node {
  id: string;
  name: string;
  alive: boolean;
  head: boolean;
  meters: Meter[];
  note: string;
}

export interface Waiting {
  request: string;
  count: number;
  why: string;
}

export interface Cluster {
  state: string;
  address: string;
  dashboard: string;
  ray: string;
  python: string;
  message: string;
  meters: Meter[];
  nodes: Node[];
  tasks: [string, number][];
  actors: [string, number][];
  waiting: Waiting[];
  runs: Run[];
}

export type Fields = Record<string, unknown>;

const LIVE = ['pending', 'running', 'stopping'];
const NAME_LENGTH = 200;

export const isLive = (run: Run): boolean => LIVE.includes(run.state);

/** One task alone: there is nothing to count. */
export const isSingle = (run: Run): boolean => run.total === 1 && run.unit === 'task';

/** A run `age` seconds after its snapshot: between two snapshots the view counts on by itself. */
export function aged(run: Run, age: number, gone: boolean): Run {
  if (!isLive(run)) return run;
  const left = run.remaining === null ? null : run.remaining - age;
  return {
    ...run,
    elapsed: run.elapsed + age,
    remaining: age && left !== null && left <= 0 ? null : left,
    stoppable: run.stoppable && !gone,
  };
}

export function kindOf(snapshot: unknown): string {
  return text(fields(snapshot).kind);
}

export function readRun(snapshot: unknown): Run {
  const run = fields(snapshot);
  return {
    id: id(run.id),
    name: text(run.name),
    verb: text(run.verb),
    state: text(run.state) || 'unknown',
    unit: text(run.unit) || 'task',
    total: maybe(run.total),
    done: number(run.done),
    failed: number(run.failed),
    running: number(run.running),
    elapsed: number(run.elapsed),
    rate: maybe(run.rate),
    remaining: maybe(run.remaining),
    why: text(run.why, 2000),
    workers: list(run.workers).map(readWorker),
    note: text(run.note, 2000),
    error: text(run.error, 4000),
    stoppable: run.stoppable === true,
  };
}

export function readRuns(snapshot: unknown): Run[] {
  return list(fields(snapshot).runs).map(readRun);
}

export function readCluster(snapshot: unknown): Cluster {
  const cluster = fields(snapshot);
  return {
    state: text(cluster.state) || 'unknown',
    address: text(cluster.address),
    dashboard: text(cluster.dashboard, 2000),
    ray: text(cluster.ray),
    python: text(cluster.python),
    message: text(cluster.message, 2000),
    meters: list(cluster.meters).map(readMeter),
    nodes: list(cluster.nodes).map(readNode),
    tasks: list(cluster.tasks).map(readCount),
    actors: list(cluster.actors).map(readCount),
    waiting: list(cluster.waiting).map(readWaiting),
    runs: list(cluster.runs).map(readRun),
  };
}

function readWorker(value: unknown): Worker {
  const worker = fields(value);
  return {
    id: id(worker.id),
    label: text(worker.label) || text(worker.id),
    lines: number(worker.lines),
    hidden: number(worker.hidden),
    tail: list(worker.tail).map(readLine),
  };
}

function readLine(value: unknown): Line {
  const [stream, line, repeats] = list(value);
  return { stream: text(stream), text: text(line, 2000), repeats: Math.max(1, number(repeats)) };
}

function readMeter(value: unknown): Meter {
  const meter = fields(value);
  return { name: text(meter.name), used: number(meter.used), total: number(meter.total), unit: text(meter.unit) };
}

function readNode(value: unknown): Node {
  const node = fields(value);
  return {
    id: id(node.id),
    name: text(node.name) || text(node.id),
    alive: node.alive !== false,
    head: node.head === true,
    meters: list(node.meters).map(readMeter),
    note: text(node.note),
  };
}

function readCount(value: unknown): [string, number] {
  const [name, count] = list(value);
  return [text(name), number(count)];
}

function readWaiting(value: unknown): Waiting {
  const waiting = fields(value);
  return { request: text(waiting.request), count: number(waiting.count), why: text(waiting.why, 2000) };
}

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function id(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

export function text(value: unknown, limit = NAME_LENGTH): string {
  return plain(id(value), limit);
}

export function maybe(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? Math.max(0, value) : null;
}

export function number(value: unknown): number {
  return maybe(value) ?? 0;
}
