/** Which point of a chart is read out; it is found again by its step, because curves are thinned anew as they grow. */
import { number, seconds } from '../core/format';
import { lookUp } from '../core/json-readers';
import { joinText } from '../core/text';
import type { Line } from './status';

export interface Cursor {
  /** The index of the line. */
  line: number;
  step: number;
}

const KEYS: Record<string, [lines: number, points: number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** The cursor after an arrow key, which without one begins at the end of the first line; null for any other key. */
export function moveCursor(lines: Line[], cursor: Cursor | null, key: string): Cursor | null {
  const move = lookUp(KEYS, key);
  if (!move || lines.length === 0) return null;
  const line = between(0, (cursor?.line ?? 0) + move[0], lines.length - 1);
  const { points } = lines[line]!;
  const index = cursor ? nearestIndex(lines[line]!, cursor.step) + move[1] : Infinity;
  return { line, step: points[between(0, index, points.length - 1)]![0] };
}

/** The index of the point; null where its line is not there. */
export function indexAt(lines: Line[], { line, step }: Cursor): number | null {
  const target = lines[line];
  return target ? nearestIndex(target, step) : null;
}

/** "rank 0 · step 12 · 3.2 s · 0.25" */
export function readoutText(lines: Line[], cursor: Cursor | null): string {
  const index = cursor && indexAt(lines, cursor);
  if (!cursor || index === null) return '';
  const { name, points } = lines[cursor.line]!;
  const [step, time, value] = points[index]!;
  return joinText([name, `step ${number(step)}`, seconds(time), number(value)]);
}

function nearestIndex({ points }: Line, step: number): number {
  const distance = (index: number): number => Math.abs(points[index]![0] - step);
  return points.reduce((nearest, _, index) => (distance(index) < distance(nearest) ? index : nearest), 0);
}

function between(least: number, value: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
