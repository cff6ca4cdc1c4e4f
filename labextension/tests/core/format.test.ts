import { describe, expect, it } from 'vitest';
import cases from '../../../tests/data/format.json';
import * as format from '../../src/core/format';

type Function = (...args: unknown[]) => string;

describe.each(Object.entries(cases))('%s', (name, table) => {
  it.each(table as [unknown, string][])('writes %j as %j', (value, text) => {
    const write = (format as unknown as Record<string, Function>)[name]!;
    const rest = name === 'plain' ? [20] : [];
    expect(write(...(Array.isArray(value) ? value : [value]), ...rest)).toBe(text);
  });
});
