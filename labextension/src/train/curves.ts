/** The curves of a metric, as its chart draws them. */
import { count, plural } from '../core/format';
import type { Axis } from '../core/plot-area';
import { makeScale, type Scale } from '../core/scale';
import { joinText } from '../core/text';
import type { Line, Metric, Point } from './status';
import type { ChartOptions } from './toolbar';

export interface Curve extends Line {
  /** The x and the y of each of its points; y is NaN in a gap. */
  positions: [x: number, y: number][];
}

export interface Curves {
  /** The first is the strong one. */
  curves: Curve[];
  /** null where there is nothing to draw. */
  axes: { x: Axis; y: Axis } | null;
  /** What the curves cannot show; "" for nothing. */
  note: string;
}

export function curvesOf(metric: Metric, { byTime, log, eachWorker }: ChartOptions): Curves {
  const lines = (eachWorker ? metric.lines : metric.lines.slice(0, 1)).filter(({ points }) => points.length > 0);
  const points = lines.flatMap(line => line.points);
  const [unit, title] = byTime ? timeUnit(points) : [1, 'step'];
  const positionOf = ([step, seconds, value]: Point): [x: number, y: number] => [byTime ? seconds / unit : step, Number.isFinite(value) ? value : NaN];
  const curves = lines.map(line => ({ ...line, positions: line.points.map(positionOf) }));
  const positions = curves.flatMap(curve => curve.positions);
  const x = makeScale(positions.map(([first]) => first), false);
  const y = makeScale(positions.map(([, second]) => second), log, true);
  return {
    curves,
    axes: x && y ? { x: { scale: x, title, whole: !byTime }, y: { scale: y, title: '' } } : null,
    note: noteText(y, log ? positions.filter(([, value]) => value <= 0).length : 0),
  };
}

/** The unit in which the longest time is a short number. */
function timeUnit(points: Point[]): [seconds: number, title: string] {
  const longest = points.reduce((longest, [, seconds]) => Math.max(longest, seconds), 0);
  if (longest < 120) return [1, 'seconds'];
  return longest < 7200 ? [60, 'minutes'] : [3600, 'hours'];
}

/** "4 points not above 0, which a log scale cannot show · 2 points beyond the edge" */
function noteText(y: Scale | null, notAboveZero: number): string {
  const outliers = y?.outliers ?? 0;
  return joinText([
    notAboveZero > 0 && `${count(notAboveZero)} ${plural('point', notAboveZero)} not above 0, which a log scale cannot show`,
    outliers > 0 && `${count(outliers)} ${plural('point', outliers)} beyond the edge`,
    !y && 'nothing that can be drawn',
  ]);
}

/** The pieces of a line x, y, x, y ... between its gaps, where y is NaN. */
export function piecesOf(pixels: Float32Array): Float32Array[] {
  const pieces: Float32Array[] = [];
  let start = 0;
  for (let index = 0; index <= pixels.length; index += 2) {
    if (!Number.isNaN(pixels[index + 1] ?? NaN)) continue;
    if (index > start) pieces.push(pixels.subarray(start, index));
    start = index + 2;
  }
  return pieces;
}
