/** Readers of JSON that came from the kernel, so that a missing or odd field cannot break a view. */
import { plain } from './format';

/** Gives a value of the right type, whatever it is given. */
export interface Reader<T> {
  (value: unknown): T;
  /** The key of the field in the JSON, where it is not the name of the property. */
  key?: string;
}

export type Fields = Record<string, unknown>;

type Shape = Record<string, Reader<unknown>>;

const NOT_FINITE: Record<string, number> = { NaN, Infinity, '-Infinity': -Infinity };

/** Reads an object: each property of the shape with its own reader. */
export function asObject<S extends Shape>(shape: S): Reader<{ [K in keyof S]: ReturnType<S[K]> }> {
  const properties = Object.entries(shape).map(([name, read]) => [name, read.key ?? name, read] as const);
  return value => {
    const fields = asFields(value);
    const result: Fields = {};
    for (const [name, key, read] of properties) result[name] = read(fields[key]);
    return result as { [K in keyof S]: ReturnType<S[K]> };
  };
}

/** The property is the field of this key. */
export function fromKey<T>(key: string, read: Reader<T>): Reader<T> {
  return Object.assign((value: unknown) => read(value), { key });
}

export function asListOf<T>(read: Reader<T>): Reader<T[]> {
  return value => asList(value).map(item => read(item));
}

export function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A name as the kernel knows it, which is not cleaned for display. */
export function asId(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Text to display: without control characters, and of at most `limit` characters. */
export function asTextUpTo(limit: number): Reader<string> {
  return value => plain(asId(value), limit);
}

export const asText = asTextUpTo(200);

export const asState: Reader<string> = value => asText(value) || 'unknown';

/** A number of at least 0; null where there is none. */
export function asNumberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? Math.max(0, value) : null;
}

export function asNumber(value: unknown): number {
  return asNumberOrNull(value) ?? 0;
}

/** Any number; JSON has no NaN or Infinity, so the kernel sends them as text. */
export function asFloatOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : typeof value === 'string' ? (lookUp(NOT_FINITE, value) ?? null) : null;
}

export const isTrue: Reader<boolean> = value => value === true;

/** `[name, count]`, as in the numbers of tasks by state. */
export function asCount(value: unknown): [name: string, count: number] {
  const [name, count] = asList(value);
  return [asText(name), asNumber(count)];
}

/** A field of our own tables, by a key that came from the kernel and may be "constructor". */
export function lookUp<T>(table: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** What was computed of `key` before, else computed now: a row that is the same object as before is not read again. */
export function cached<K extends object, T>(cache: WeakMap<object, T>, key: K, compute: (key: K) => T): T {
  let result = cache.get(key);
  if (result === undefined) cache.set(key, (result = compute(key)));
  return result;
}
