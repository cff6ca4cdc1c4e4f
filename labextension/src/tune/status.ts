/** The status of a search, as the kernel sends it (tests/data/tune.json), and its values as text. */
import { number, seconds } from '../core/format';
import { asCount, asFields, asFloatOrNull, asId, asList, asListOf, asNumber, asObject, asText, asTextUpTo, cached, fromKey, isTrue, lookUp, type Reader } from '../core/json-readers';
import { readRun, type Run } from '../core/status';
import { NO_VALUE } from '../core/text';

export type Value = number | string | boolean | null;
export type CurvePoint = [step: number, value: number];

export type Search = { run: Run } & ReturnType<typeof readFields>;
export type Trial = ReturnType<typeof readTrial>;

const MAX_COLUMNS = 40; // of parameters, and of metrics
const MAX_CHOICES = 50;
const asValueText = asTextUpTo(500);

// The kernel sends only rows that have changed; a row that is the same object as before is not read again.
const trialsByRows = new WeakMap<object, Trial[]>();
const trialByRow = new WeakMap<object, Trial>();
const curveByTrial = new WeakMap<Trial, CurvePoint[]>();

const asNames = upToMaxColumns(asText);

const readTrial = asObject({
  id: asId,
  number: asNumber,
  state: asText,
  /** What a user or the scheduler has done to it, which Ray's state does not say. */
  how: asText,
  // In the order of the search's params and metrics.
  params: upToMaxColumns(readValue),
  metrics: upToMaxColumns(asFloatOrNull),
  iterations: asNumber,
  seconds: asNumber,
  node: asText,
  checkpoint: isTrue,
  error: asTextUpTo(10_000),
  /** How many points its curve has, and the curve as it came (see `curveOf`). */
  points: fromKey('curve', value => asList(value).length),
  curve: value => value,
});

const readFields = asObject({
  metric: asText,
  mode: asText,
  algorithm: fromKey('search', asText),
  scheduler: asText,
  params: asNames,
  metrics: asNames,
  /** The parameters whose axis is logarithmic. */
  logScales: fromKey('scales', value => new Set(Object.entries(asFields(value)).filter(([, scale]) => scale === 'log').map(([name]) => asText(name)))),
  /** What the parameters that are drawn from a list are drawn from. */
  choices: fromKey('choices', value => new Map(Object.entries(asFields(value)).map(([name, values]) => [asText(name), asList(values).slice(0, MAX_CHOICES).map(readValue)]))),
  /** The id of the best trial, and its parameters as Python. */
  best: asId,
  bestPython: fromKey('best_python', asTextUpTo(20_000)),
  states: asListOf(asCount),
  path: asTextUpTo(1000),
  trials: fromKey('rows', value => cached(trialsByRows, asList(value), rows => rows.map(row => cached(trialByRow, asFields(row), readTrial)))),
});

export function readSearch(snapshot: unknown): Search {
  return { run: readRun(snapshot), ...readFields(snapshot) };
}

export function curveOf(trial: Trial): CurvePoint[] {
  return cached(curveByTrial, trial, ({ curve }) => asList(curve).map(readPoint).filter(([step]) => Number.isFinite(step)));
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

/** For sorting: the best first, what has no score last. */
export function compareScores(one: Trial, other: Trial, mode: string): number {
  const [first, second] = [scoreOf(one), scoreOf(other)];
  return isBetter(first, second, mode) ? -1 : isBetter(second, first, mode) ? 1 : 0;
}

// By what was done to a trial, else by Ray's state: its text and its icon.
const BY_HOW: Record<string, [text: string, icon: string]> = {
  asked: ['Halting', 'stopping'],
  held: ['Paused', 'paused'],
  resumed: ['Resuming', 'pending'],
  early: ['Stopped early', 'early'],
  stopped: ['Stopped', 'cancelled'],
};
const BY_STATE: Record<string, [text: string, icon: string]> = {
  PENDING: ['Pending', 'pending'],
  RUNNING: ['Running', 'running'],
  PAUSED: ['Paused by scheduler', 'paused'],
  TERMINATED: ['Finished', 'finished'],
  ERROR: ['Failed', 'failed'],
};

/** "Stopped early" */
export function stateText(trial: Trial): string {
  return stateOf(trial)?.[0] ?? trial.state.toLowerCase();
}

export function iconOf(trial: Trial): string {
  return stateOf(trial)?.[1] ?? 'unknown';
}

function stateOf({ how, state }: Trial): [text: string, icon: string] | undefined {
  return lookUp(BY_HOW, how) ?? lookUp(BY_STATE, state);
}

/** As Python writes it: 0.5, adam, True; a dash for what is absent. */
export function valueText(value: Value | undefined): string {
  if (value === null || value === undefined) return NO_VALUE;
  if (typeof value === 'number') return number(value);
  return typeof value === 'boolean' ? (value ? 'True' : 'False') : value.replace(/\s+/g, ' ');
}

export function timeText(trial: Trial): string {
  return trial.seconds ? seconds(trial.seconds) : NO_VALUE;
}

function upToMaxColumns<T>(read: Reader<T>): Reader<T[]> {
  return value => asList(value).slice(0, MAX_COLUMNS).map(item => read(item));
}

function readPoint(value: unknown): CurvePoint {
  const [step, score] = asList(value);
  return [asFloatOrNull(step) ?? NaN, asFloatOrNull(score) ?? NaN];
}

function readValue(value: unknown): Value {
  return typeof value === 'boolean' ? value : (asFloatOrNull(value) ?? (typeof value === 'string' ? asValueText(value) : null));
}
