/** The axes of the parallel coordinates: where each trial crosses them, and which trials a brush lets pass. */
import { number } from '../core/format';
import { makeScale, ticks } from '../core/scale';
import { compareText } from './columns';
import type { Test } from './filter';
import { valueText, type Search, type Trial, type Value } from './status';

export interface Axis {
  key: string;
  title: string;
  /** From 0 to 1; NaN where the trial has no such value. */
  position(trial: Trial): number;
  ticks: { position: number; text: string }[];
  /** Whether a trial lies between two positions. It goes by the values there, so it stays the same when the axis grows. */
  between(from: number, to: number): Test;
}

type ValueOf = (trial: Trial) => Value;

const MAX_PARAMS = 12;
const MAX_LABELS = 14;

export function axesOf(search: Search, trials: Trial[]): Axis[] {
  const { params, metric, logScales, choices } = search;
  const axes = params.slice(0, MAX_PARAMS).map((title, index) => {
    const [key, valueOf] = [`param ${index}`, (trial: Trial) => trial.params[index] ?? null];
    const listed = choices.get(title);
    return listed?.length ? choiceAxis(key, title, listed, trials, valueOf) : axisOf(key, title, trials, valueOf, logScales.has(title));
  });
  if (metric) axes.push(axisOf('metric', metric, trials, trial => trial.metrics[0] ?? null, false));
  return axes.filter(axis => axis !== null);
}

function axisOf(key: string, title: string, trials: Trial[], valueOf: ValueOf, log: boolean): Axis | null {
  const numbers: number[] = [];
  const others = new Set<Value>();
  for (const trial of trials) {
    const value = valueOf(trial);
    if (typeof value === 'number') numbers.push(value);
    else if (value !== null) others.add(value);
  }
  if (others.size > 0) return categoricalAxis(key, title, [...new Set(numbers), ...others].sort(byText), valueOf);
  return numericAxis(key, title, numbers, valueOf, log);
}

/** The choices as they were given, but numbers from the least to the largest; what a scheduler has made of them comes last. */
function choiceAxis(key: string, title: string, choices: Value[], trials: Trial[], valueOf: ValueOf): Axis | null {
  const values = trials.map(valueOf).filter(value => value !== null || choices.includes(null));
  if (values.length === 0) return null;
  const all = [...new Set([...choices, ...values])];
  return categoricalAxis(key, title, all.every(value => typeof value === 'number') ? all.sort((one, other) => one - other) : all, valueOf);
}

function numericAxis(key: string, title: string, values: number[], valueOf: ValueOf, log: boolean): Axis | null {
  const scale = makeScale(values, log, key === 'metric');
  if (!scale) return null;
  const isWhole = values.every(Number.isInteger);
  const numberOf = (trial: Trial): number => {
    const value = valueOf(trial);
    return typeof value === 'number' ? value : NaN;
  };
  return {
    key,
    title,
    position: trial => clamp(scale.position(numberOf(trial))),
    ticks: ticks(scale, 4).filter(value => !isWhole || Number.isInteger(value)).map(value => ({ position: scale.position(value), text: number(value) })),
    between(from, to) {
      // The ends reach on to what lies beyond the picture.
      const [min, max] = [from <= 0 ? -Infinity : scale.valueAt(from), to >= 1 ? Infinity : scale.valueAt(to)];
      return trial => numberOf(trial) >= min && numberOf(trial) <= max;
    },
  };
}

function categoricalAxis(key: string, title: string, values: Value[], valueOf: ValueOf): Axis {
  const marks = values.map((value, index) => ({ value, position: (index + 0.5) / values.length, text: value === null ? 'None' : valueText(value) }));
  const positions = new Map(marks.map(({ value, position }) => [value, position]));
  const step = Math.ceil(marks.length / MAX_LABELS);
  return {
    key,
    title,
    position: trial => positions.get(valueOf(trial)) ?? NaN,
    ticks: marks.filter((_, index) => index % step === 0),
    between(from, to) {
      const chosen = new Set(marks.filter(({ position }) => position >= from && position <= to).map(({ value }) => value));
      return trial => chosen.has(valueOf(trial));
    },
  };
}

function byText(one: Value, other: Value): number {
  return compareText(valueText(one), valueText(other));
}

/** An infinite value lies just beyond the end of its axis. */
function clamp(position: number): number {
  return Math.max(-0.02, Math.min(1.02, position));
}
