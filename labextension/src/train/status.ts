/** The status of a training, as the kernel sends it: the metrics that it reports, and their curves. */
import { asFields, asFloatOrNull, asId, asList, asNumber, asNumberOrNull, asObject, asText, cached, fromKey } from '../core/json-readers';
import { readRun, type Run } from '../core/status';

/** The value is NaN where there is none. */
export type Point = [step: number, seconds: number, value: number];

export type Training = { run: Run } & ReturnType<typeof readFields>;
export type Metric = ReturnType<typeof readMetric>;
export type Line = ReturnType<typeof readLine>;

export const MAX_METRICS = 100;
const MAX_LINES = 33; // of a metric: the mean, and single workers
const MAX_POINTS = 1000; // of a line

// The kernel sends only rows that have changed; a row that is the same object as before is not read again.
const metricsByRows = new WeakMap<object, Metric[]>();
const metricByRow = new WeakMap<object, Metric>();

const readLine = asObject({
  name: asText,
  points: value => asList(value).slice(0, MAX_POINTS).flatMap(readPoint),
});

const readMetric = asObject({
  id: asId,
  name: fromKey('id', asText),
  last: asFloatOrNull,
  least: asFloatOrNull,
  most: asFloatOrNull,
  /** How many reports of it were NaN or infinite. */
  unfinite: asNumber,
  /** The first is the mean of the workers, or that of the only one. */
  lines: value => asList(value).slice(0, MAX_LINES).map(line => readLine(line)),
});

const readFields = asObject({
  workers: asNumber,
  metrics: fromKey('rows', value => cached(metricsByRows, asList(value), rows => rows.slice(0, MAX_METRICS).map(row => cached(metricByRow, asFields(row), readMetric)))),
  /** How many metrics there are, those that are not read included. */
  total: fromKey('rows', value => asList(value).length),
});

export function readTraining(snapshot: unknown): Training {
  return { run: readRun(snapshot), ...readFields(snapshot) };
}

/** None where there is no step. */
function readPoint(point: unknown): Point[] {
  const [step, seconds, value] = asList(point);
  const at = asNumberOrNull(step);
  return at === null ? [] : [[at, asNumber(seconds), asFloatOrNull(value) ?? NaN]];
}
