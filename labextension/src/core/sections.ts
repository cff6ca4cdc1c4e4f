/** The sections of a card, as the kernel sends them (ray_magics/views/card.py, tests/data/cards.json). */
import { plain, number } from './format';
import { asCount, asFields, asId, asList, asListOf, asNumber, asNumberOrNull, asObject, asState, asText, asTextUpTo, isTrue } from './json-readers';

export type Header = ReturnType<typeof readHeader>;
export type Progress = ReturnType<typeof readProgress>;
export type Gauge = ReturnType<typeof readGauge>;
export type Worker = ReturnType<typeof readWorker>;
export type TableRow = ReturnType<typeof readRow>;
export type RowAction = ReturnType<typeof readAction>;
export type Button = ReturnType<typeof readButton>;
export type Table = ReturnType<typeof readTable>;
export type Plot = ReturnType<typeof readPlot>;
export type Point = [x: number, y: number];

export interface OutputLine {
  stream: string;
  text: string;
  repeats: number;
}

/** What a cell of a table or a detail of a header says. */
export type Cell =
  | { kind: 'text'; text: string }
  | { kind: 'number'; text: string }
  | { kind: 'state'; text: string; state: string }
  | { kind: 'link'; text: string; url: string }
  | { kind: 'curve'; points: Point[]; low: number | null };

const asLongText = asTextUpTo(2000);
const asAddress = asTextUpTo(2000);

export function readCell(value: unknown): Cell {
  if (typeof value === 'number') return { kind: 'number', text: number(value) };
  if (typeof value === 'boolean') return { kind: 'text', text: value ? 'True' : 'False' };
  const { state, text, url, points, low } = asFields(value);
  if (points !== undefined) return { kind: 'curve', points: readPoints(points), low: typeof low === 'number' ? low : null };
  if (url !== undefined) return { kind: 'link', text: asText(text), url: asAddress(url) };
  if (state !== undefined) return { kind: 'state', text: asText(text), state: asText(state) };
  return { kind: 'text', text: asLongText(value) };
}

export function isEmptyCell(cell: Cell): boolean {
  return cell.kind === 'curve' ? cell.points.length < 2 : cell.text === '';
}

function readPoints(value: unknown): Point[] {
  return asList(value)
    .map((point): Point => [Number(asList(point)[0]), Number(asList(point)[1])])
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
}

export const readHeader = asObject({
  state: asState,
  title: asText,
  name: asText,
  details: asListOf(readCell),
  elapsed: asNumberOrNull,
  run: asId,
  stop: asText,
});

export const readProgress = asObject({
  state: asState,
  unit: value => asText(value) || 'task',
  total: asNumberOrNull,
  done: asNumber,
  failed: asNumber,
  running: asNumber,
  rate: asNumberOrNull,
  remaining: asNumberOrNull,
});

export const readText = asObject({ text: asTextUpTo(4000), tone: asText });

export const readFacts = asObject({
  facts: asListOf((value): [name: string, value: string] => [asText(asList(value)[0]), asText(asList(value)[1])]),
});

export const readCounts = asObject({ title: asText, counts: asListOf(asCount) });

const readGauge = asObject({ name: asText, used: asNumber, total: asNumber, unit: asText });

export const readGauges = asObject({ gauges: asListOf(readGauge) });

const readAction = asObject({ name: asText, run: asId, part: asId });

export const readButton = asObject({ text: asText, action: readAction });

const readRow = asObject({ id: asId, cells: asListOf(readCell), actions: asListOf(readAction) });

export const readTable = asObject({ title: asText, columns: asListOf(asText), rows: asListOf(readRow), hidden: asNumber });

const readLine = (value: unknown): { name: string; points: Point[]; low: number | null } => {
  const { name, points, low } = asFields(value);
  return { name: asText(name), points: readPoints(points), low: typeof low === 'number' ? low : null };
};

export const readPlot = asObject({ title: asText, x: asText, lines: asListOf(readLine) });

export const readWorker = asObject({
  id: asId,
  label: asText,
  lines: asNumber,
  hidden: asNumber,
  tail: asListOf((value): OutputLine => {
    const [stream, text, repeats] = asList(value);
    return { stream: asText(stream), text: asLongText(text), repeats: Math.max(1, asNumber(repeats)) };
  }),
});

export const readLog = asObject({ workers: asListOf(readWorker), opened: isTrue });

export const readPicture = asObject({ mime: asText, data: value => (typeof value === 'string' ? value : ''), alt: asText });

export const readGroup = asObject({ title: readCell, opened: isTrue, sections: asListOf(asFields) });

export const readSpecial = asObject({ name: asId, data: asFields, rows: value => (Array.isArray(value) ? (value as unknown[]) : null) });

export const readCard = asObject({ label: asText, sections: asListOf(asFields) });

/** The text of a section's unknown type, so that a newer kernel breaks no older page. */
export function typeOf(section: unknown): string {
  return plain(asId(asFields(section).type), 40);
}
