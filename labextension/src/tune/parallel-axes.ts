/** The axes of the parallel coordinates: where each trial crosses them, and which part of them is brushed. */
import { number } from '../core/format';
import { scaleOf, ticks } from '../core/scale';
import { valueText, type Trial, type Tune, type Value } from './status';

export interface Axis {
  key: string;
  title: string;
  /** From 0 to 1; NaN where the trial has no such value. */
  at(trial: Trial): number;
  ticks: { place: number; text: string }[];
  /** What lies between two places, in terms of values: that stays true when the axis grows. */
  between(from: number, to: number): Range;
}

export interface Range {
  lo: number;
  hi: number;
  labels: Set<string> | null;
  passes(trial: Trial): boolean;
}

const AXES = 12;

export function axesOf(tune: Tune, trials: Trial[]): Axis[] {
  const params = tune.params.slice(0, AXES).map((title, index) => axisOf(`param ${index}`, title, trials, trial => trial.params[index] ?? null, tune.logs.has(title)));
  const metric = tune.metric ? [axisOf('metric', tune.metric, trials, trial => trial.metrics[0] ?? null, false)] : [];
  return [...params, ...metric].filter(axis => axis !== null);
}

function axisOf(key: string, title: string, trials: Trial[], value: (trial: Trial) => Value, log: boolean): Axis | null {
  const numbers: number[] = [];
  const others = new Set<Value>();
  for (const trial of trials) {
    const one = value(trial);
    if (typeof one === 'number') numbers.push(one);
    else if (one !== null) others.add(one);
  }
  if (others.size > 0) return categories(key, title, [...new Set(numbers), ...others], value);
  return numeric(key, title, numbers, value, log);
}

function numeric(key: string, title: string, values: number[], value: (trial: Trial) => Value, log: boolean): Axis | null {
  const scale = scaleOf(values, log, key === 'metric');
  if (!scale) return null;
  const read = (trial: Trial): number => {
    const one = value(trial);
    return typeof one === 'number' ? one : NaN;
  };
  return {
    key,
    title,
    at: trial => clamp(scale.at(read(trial))),
    ticks: ticks(scale, 4).map(one => ({ place: scale.at(one), text: number(one) })),
    between(from, to) {
      // The ends reach on to what lies beyond the picture.
      const [lo, hi] = [from <= 0 ? -Infinity : scale.back(from), to >= 1 ? Infinity : scale.back(to)];
      return { lo, hi, labels: null, passes: trial => read(trial) >= lo && read(trial) <= hi };
    },
  };
}

function categories(key: string, title: string, values: Value[], value: (trial: Trial) => Value): Axis {
  const names = [...new Set(values.map(valueText))].sort(new Intl.Collator('en', { numeric: true }).compare);
  const places = new Map(names.map((name, index) => [name, (index + 0.5) / names.length]));
  const step = Math.ceil(names.length / 10);
  return {
    key,
    title,
    at: trial => (value(trial) === null ? NaN : (places.get(valueText(value(trial))) ?? NaN)),
    ticks: names.map((text, index) => ({ place: (index + 0.5) / names.length, text })).filter((_, index) => index % step === 0),
    between(from, to) {
      const labels = new Set(names.filter(name => places.get(name)! >= from && places.get(name)! <= to));
      return { lo: from, hi: to, labels, passes: trial => value(trial) !== null && labels.has(valueText(value(trial))) };
    },
  };
}

/** An infinite value lies at the end of its axis. */
function clamp(place: number): number {
  return Math.max(-0.02, Math.min(1.02, place));
}
