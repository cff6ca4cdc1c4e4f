/** The JSON of a search (tests/data/tune.json). A row is read once: as long as it is the same object, so is its trial. */
import { number as figure, seconds } from '../core/format';
import { fields, id, list, number, readRun, text, type Run } from '../core/status';

export type Value = number | string | boolean | null;
export type Point = [step: number, value: number];

export interface Trial {
  id: string;
  number: number;
  state: string;
  how: string;
  params: Value[];
  metrics: (number | null)[];
  iterations: number;
  seconds: number;
  node: string;
  checkpoint: boolean;
  error: string;
  /** How many points its curve has, and the curve itself as it came (see `curveOf`). */
  points: number;
  curve: unknown;
}

export interface Tune {
  run: Run;
  metric: string;
  mode: string;
  search: string;
  scheduler: string;
  params: string[];
  metrics: string[];
  logs: Set<string>;
  best: string;
  bestPython: string;
  states: [string, number][];
  path: string;
  trials: Trial[];
}

const COLUMNS = 40;
const NOT_FINITE: Record<string, number> = { NaN, Infinity, '-Infinity': -Infinity };

const lists = new WeakMap<object, Trial[]>();
const trials = new WeakMap<object, Trial>();
const curves = new WeakMap<Trial, Point[]>();

export function readTune(snapshot: unknown): Tune {
  const tune = fields(snapshot);
  const scales = Object.entries(fields(tune.scales));
  return {
    run: readRun(snapshot),
    metric: text(tune.metric),
    mode: text(tune.mode),
    search: text(tune.search),
    scheduler: text(tune.scheduler),
    params: list(tune.params).slice(0, COLUMNS).map(name => text(name)),
    metrics: list(tune.metrics).slice(0, COLUMNS).map(name => text(name)),
    logs: new Set(scales.filter(([, scale]) => scale === 'log').map(([name]) => text(name))),
    best: id(tune.best),
    bestPython: text(tune.best_python, 20_000),
    states: list(tune.states).map(one => [text(list(one)[0]), number(list(one)[1])]),
    path: text(tune.path, 1000),
    trials: once(lists, list(tune.trials), rows => rows.map(row => once(trials, fields(row), readTrial))),
  };
}

export function curveOf(trial: Trial): Point[] {
  return once(curves, trial, ({ curve }) => list(curve).map(readPoint).filter(([step]) => Number.isFinite(step)));
}

/** Whether `one` is better than `other`; what is no number is never better. */
export function isBetter(one: number, other: number, mode: string): boolean {
  if (Number.isNaN(one) || Number.isNaN(other)) return !Number.isNaN(one);
  return mode === 'max' ? one > other : one < other;
}

/** What the trials are ranked by; NaN while there is nothing. */
export function scoreOf(trial: Trial): number {
  return trial.metrics[0] ?? NaN;
}

const WORDS: Record<string, string> = { PENDING: 'Pending', RUNNING: 'Running', PAUSED: 'Paused by scheduler', TERMINATED: 'Finished', ERROR: 'Failed' };
const HOWS: Record<string, [word: string, icon: string]> = {
  asked: ['Halting', 'stopping'],
  held: ['Paused', 'paused'],
  early: ['Stopped early', 'early'],
  stopped: ['Stopped', 'cancelled'],
};
const ICONS: Record<string, string> = { PENDING: 'pending', RUNNING: 'running', PAUSED: 'paused', TERMINATED: 'finished', ERROR: 'failed' };

/** "Stopped early" */
export function stateWord(trial: Trial): string {
  return own(HOWS, trial.how)?.[0] ?? own(WORDS, trial.state) ?? trial.state.toLowerCase();
}

export function stateIcon(trial: Trial): string {
  return own(HOWS, trial.how)?.[1] ?? own(ICONS, trial.state) ?? 'unknown';
}

/** As Python says it: 0.5, adam, True; a dash for what is absent. */
export function valueText(value: Value | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return figure(value);
  return typeof value === 'boolean' ? (value ? 'True' : 'False') : value.replace(/\s+/g, ' ');
}

export function timeText(trial: Trial): string {
  return trial.seconds ? seconds(trial.seconds) : '–';
}

function readTrial(value: unknown): Trial {
  const trial = fields(value);
  return {
    id: id(trial.id),
    number: number(trial.number),
    state: text(trial.state),
    how: text(trial.how),
    params: list(trial.params).slice(0, COLUMNS).map(readValue),
    metrics: list(trial.metrics).slice(0, COLUMNS).map(readNumber),
    iterations: number(trial.iterations),
    seconds: number(trial.seconds),
    node: text(trial.node),
    checkpoint: trial.checkpoint === true,
    error: text(trial.error, 10_000),
    points: list(trial.curve).length,
    curve: trial.curve,
  };
}

function readPoint(value: unknown): Point {
  const [step, score] = list(value);
  return [readNumber(step) ?? NaN, readNumber(score) ?? NaN];
}

function readValue(value: unknown): Value {
  return typeof value === 'boolean' ? value : (readNumber(value) ?? (typeof value === 'string' ? text(value, 500) : null));
}

function readNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : typeof value === 'string' ? (own(NOT_FINITE, value) ?? null) : null;
}

function once<K extends object, T>(cache: WeakMap<object, T>, key: K, read: (key: K) => T): T {
  let found = cache.get(key);
  if (found === undefined) cache.set(key, (found = read(key)));
  return found;
}

function own<T>(record: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
