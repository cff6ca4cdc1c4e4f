/** Numbers on an axis: 0 is its beginning, 1 its end. */
export interface Scale {
  lo: number;
  hi: number;
  log: boolean;
  /** How many numbers lie so far out that they would flatten all others. */
  beyond: number;
  at(value: number): number;
  back(place: number): number;
}

const FAR = 4;
const SOME = 1000;

/** null where there is no number to show; on a logarithmic axis only those above 0 are. */
export function scaleOf(values: number[], log: boolean, robust = false): Scale | null {
  const usable = values.filter(value => Number.isFinite(value) && (!log || value > 0));
  if (usable.length === 0) return null;
  const [first, last] = robust && !log ? common(usable) : extent(usable);
  const [lo, hi] = first < last ? [first, last] : apart(first, log);
  const [from, to] = log ? [Math.log10(lo), Math.log10(hi)] : [lo, hi];
  const span = to - from || 1;
  return {
    lo,
    hi,
    log,
    beyond: robust ? usable.filter(value => value < first || value > last).length : 0,
    at: value => (log ? (value > 0 ? (Math.log10(value) - from) / span : NaN) : value / span - from / span),
    back: place => (log ? 10 ** (from + place * span) : from + place * span),
  };
}

/** About `count` round numbers on the scale. */
export function ticks({ lo, hi, log }: Scale, count: number): number[] {
  const decades = log ? Math.log10(hi) - Math.log10(lo) : 0;
  if (decades >= 1.5) {
    const step = Math.max(1, Math.round(decades / count));
    const first = Math.ceil(Math.log10(lo) - 1e-9);
    return range(first, Math.log10(hi), step).map(power => 10 ** power);
  }
  const step = round((hi - lo) / Math.max(1, count));
  return range(Math.ceil(lo / step - 1e-9) * step, hi, step);
}

function range(first: number, last: number, step: number): number[] {
  if (!Number.isFinite(first) || !(step > 0) || !Number.isFinite(step)) return [];
  const length = Math.min(50, Math.floor((last - first) / step + 1e-6) + 1);
  return Array.from({ length: Math.max(0, length) }, (_, index) => Number((first + index * step).toPrecision(12)));
}

/** 0.7 -> 1, 0.3 -> 0.5, 0.12 -> 0.2 */
function round(step: number): number {
  const unit = 10 ** Math.floor(Math.log10(step));
  return unit * ([1, 2, 5, 10].find(one => one * unit >= step * 0.999) ?? 10);
}

function extent(values: number[]): [number, number] {
  let [lo, hi] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  return [lo, hi];
}

/** The extent without what a diverging trial has reported; of many numbers, some tell what is common. */
function common(values: number[]): [number, number] {
  const step = Math.ceil(values.length / SOME);
  const order = Float64Array.from(values.filter((_, index) => index % step === 0)).sort();
  const low = order[Math.floor(0.05 * (order.length - 1))]!;
  const high = order[Math.floor(0.95 * (order.length - 1))]!;
  const reach = FAR * (high - low);
  return reach > 0 ? extent(values.filter(value => value >= low - reach && value <= high + reach)) : extent(values);
}

function apart(value: number, log: boolean): [number, number] {
  if (log) return [value / 2, value * 2];
  const reach = Math.abs(value) / 10 || 1;
  return [value - reach, value + reach];
}
