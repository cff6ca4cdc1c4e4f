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
const MAX_LABELS = 10;

export function axesOf(search: Search, trials: Trial[]): Axis[] {
  const { params, metric, logScales } = search;
  const axes = params.slice(0, MAX_PARAMS).map((title, index) => axisOf(`param ${index}`, title, trials, trial => trial.params[index] ?? null, logScales.has(title)));
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
  if (others.size > 0) return categoricalAxis(key, title, [...new Set(numbers), ...others], valueOf);
  return numericAxis(key, title, numbers, valueOf, log);
}

function numericAxis(key: string, title: string, values: number[], valueOf: ValueOf, log: boolean): Axis | null {
  const scale = makeScale(values, log, key === 'metric');
  if (!scale) return null;
  const numberOf = (trial: Trial): number => {
    const value = valueOf(trial);
    return typeof value === 'number' ? value : NaN;
  };
  return {
    key,
    title,
    position: trial => clamp(scale.position(numberOf(trial))),
    ticks: ticks(scale, 4).map(value => ({ position: scale.position(value), text: number(value) })),
    between(from, to) {
      // The ends reach on to what lies beyond the picture.
      const [min, max] = [from <= 0 ? -Infinity : scale.valueAt(from), to >= 1 ? Infinity : scale.valueAt(to)];
      return trial => numberOf(trial) >= min && numberOf(trial) <= max;
    },
  };
}

function categoricalAxis(key: string, title: string, values: Value[], valueOf: ValueOf): Axis {
  const labels = [...new Set(values.map(valueText))].sort(compareText);
  const marks = labels.map((text, index) => ({ position: (index + 0.5) / labels.length, text }));
  const positions = new Map(marks.map(({ text, position }) => [text, position]));
  const step = Math.ceil(labels.length / MAX_LABELS);
  return {
    key,
    title,
    position: trial => (valueOf(trial) === null ? NaN : (positions.get(valueText(valueOf(trial))) ?? NaN)),
    ticks: marks.filter((_, index) => index % step === 0),
    between(from, to) {
      const chosen = new Set(marks.filter(({ position }) => position >= from && position <= to).map(({ text }) => text));
      return trial => valueOf(trial) !== null && chosen.has(valueText(valueOf(trial)));
    },
  };
}

/** An infinite value lies just beyond the end of its axis. */
function clamp(position: number): number {
  return Math.max(-0.02, Math.min(1.02, position));
}
