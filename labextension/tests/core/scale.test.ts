import { describe, expect, it } from 'vitest';
import { number } from '../../src/core/format';
import { makeScale, ticks } from '../../src/core/scale';

describe('an axis', () => {
  it.each([
    [[0, 1], false, ['0', '0.5', '1']],
    [[0.08, 0.6], false, ['0.2', '0.4', '0.6']],
    [[1e-5, 0.1], true, ['1e-5', '0.0001', '0.001', '0.01', '0.1']],
    [[3], false, ['2.8', '3', '3.2']],
    [[-1, NaN, Infinity, 1], false, ['-1', '0', '1']],
  ] as [number[], boolean, string[]][])('has few round ticks: %j', (values, log, expected) => {
    expect(ticks(makeScale(values, log)!, 3).map(number)).toEqual(expected);
  });

  it('is none without numbers', () => {
    expect(makeScale([NaN, Infinity], false)).toBe(null);
    expect(makeScale([0, -3], true)).toBe(null);
  });

  it('leaves out what a diverging trial has reported, and says so', () => {
    const scale = makeScale([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1e9], false, true)!;
    expect([scale.max, scale.outliers]).toEqual([0.6, 1]);
  });
});
