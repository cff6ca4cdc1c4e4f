import { describe, expect, it } from 'vitest';
import { axesOf, type Axis } from '../../src/tune/parallel-axes';
import { readSearch, type Trial } from '../../src/tune/status';
import { running } from './search';

/** The axis of one parameter with these values, and its trials. */
function axis(values: unknown[], choices?: unknown[]): { axis: Axis | undefined; trials: Trial[] } {
  const rows = values.map((value, index) => ({ ...running.trials[0], id: `t${index}`, params: [value] }));
  const search = readSearch({ ...running, params: ['width'], scales: {}, choices: choices ? { width: choices } : {}, rows });
  return { axis: axesOf(search, search.trials).find(({ key }) => key === 'param 0'), trials: search.trials };
}

const labels = (one: Axis | undefined): string[] => one!.ticks.map(({ text }) => text);
const positions = (one: Axis | undefined): number[] => one!.ticks.map(({ position }) => Number(position.toFixed(3)));

describe('the axis of a choice', () => {
  it.each([
    ['numbers', [16, 64], [16, 32, 64], ['16', '32', '64']],
    ['numbers in any order', [64, 16], [64, 16, 32], ['16', '32', '64']],
    ['texts', ['small'], ['small', 'large', 'huge'], ['small', 'large', 'huge']],
    ['both, and nothing', [null], ['sqrt', 8, null], ['sqrt', '8', 'None']],
    ['what the same value is given twice in', [1], [1, 2, 1, true], ['1', '2', 'True']],
    ['what is no choice of it any more', [128], [16, 32, 64], ['16', '32', '64', '128']],
  ])('has exactly the choices, evenly spaced: %s', (_, values, choices, texts) => {
    const { axis: found } = axis(values, choices);
    expect(labels(found)).toEqual(texts);
    expect(positions(found)).toEqual(texts.map((_, index) => Number(((index + 0.5) / texts.length).toFixed(3))));
  });

  it('has each trial at its value, and brushes choices', () => {
    const { axis: found, trials } = axis([16, 64, 32], [16, 32, 64]);
    expect(trials.map(trial => found!.position(trial).toFixed(2))).toEqual(['0.17', '0.83', '0.50']);
    expect(trials.filter(found!.between(0.4, 1)).map(({ params }) => params[0])).toEqual([64, 32]);
  });

  it('is not there while no trial has a value of it', () => {
    expect(axis([null], [16, 32]).axis).toBe(undefined);
  });
});

describe('the axis of a range', () => {
  it('has whole numbers where its values are whole', () => {
    expect(labels(axis([1, 2, 3]).axis)).toEqual(['1', '2', '3']);
    expect(labels(axis([1, 2.5]).axis)).toContain('1.5');
  });
});
