/** Numbers on an axis: 0 is its beginning, 1 its end. */
export interface Scale {
  min: number;
  max: number;
  log: boolean;
  /** How many numbers lie so far out that they were left out, because they would flatten all others. */
  outliers: number;
  position(value: number): number;
  valueAt(position: number): number;
}

const OUTLIER_RANGE = 4; // in widths of the middle 90 percent
const SAMPLE = 1000;

/** null where there is no number to show; on a logarithmic axis only those above 0 are. */
export function makeScale(values: number[], log: boolean, withoutOutliers = false): Scale | null {
  const usable = values.filter(value => Number.isFinite(value) && (!log || value > 0));
  if (usable.length === 0) return null;
  const [first, last] = withoutOutliers && !log ? commonExtent(usable) : extent(usable);
  const [min, max] = first < last ? [first, last] : widened(first, log);
  const [from, to] = log ? [Math.log10(min), Math.log10(max)] : [min, max];
  const span = to - from || 1;
  return {
    min,
    max,
    log,
    outliers: withoutOutliers ? usable.filter(value => value < first || value > last).length : 0,
    position: value => (log ? (value > 0 ? (Math.log10(value) - from) / span : NaN) : value / span - from / span),
    valueAt: position => (log ? 10 ** (from + position * span) : from + position * span),
  };
}

/** About `count` round numbers on the scale. */
export function ticks({ min, max, log }: Scale, count: number): number[] {
  const decades = log ? Math.log10(max) - Math.log10(min) : 0;
  if (decades >= 1.5) {
    const step = Math.max(1, Math.round(decades / count));
    const first = Math.ceil(Math.log10(min) - 1e-9);
    return range(first, Math.log10(max), step).map(power => 10 ** power);
  }
  const step = roundStep((max - min) / Math.max(1, count));
  return range(Math.ceil(min / step - 1e-9) * step, max, step);
}

function range(first: number, last: number, step: number): number[] {
  if (!Number.isFinite(first) || !(step > 0) || !Number.isFinite(step)) return [];
  const length = Math.min(50, Math.floor((last - first) / step + 1e-6) + 1);
  return Array.from({ length: Math.max(0, length) }, (_, index) => Number((first + index * step).toPrecision(12)));
}

/** 0.7 -> 1, 0.3 -> 0.5, 0.12 -> 0.2 */
function roundStep(step: number): number {
  const unit = 10 ** Math.floor(Math.log10(step));
  return unit * ([1, 2, 5, 10].find(factor => factor * unit >= step * 0.999) ?? 10);
}

/** Not Math.min(...values), which fails for very many. */
function extent(values: number[]): [number, number] {
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return [min, max];
}

/** The extent without what a diverging trial has reported, judged by a sample where there are many numbers. */
function commonExtent(values: number[]): [number, number] {
  const step = Math.ceil(values.length / SAMPLE);
  const sorted = Float64Array.from(values.filter((_, index) => index % step === 0)).sort();
  const low = sorted[Math.floor(0.05 * (sorted.length - 1))]!;
  const high = sorted[Math.floor(0.95 * (sorted.length - 1))]!;
  const reach = OUTLIER_RANGE * (high - low);
  return reach > 0 ? extent(values.filter(value => value >= low - reach && value <= high + reach)) : extent(values);
}

function widened(value: number, log: boolean): [number, number] {
  if (log) return [value / 2, value * 2];
  const reach = Math.abs(value) / 10 || 1;
  return [value - reach, value + reach];
}
