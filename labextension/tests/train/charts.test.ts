import { describe, expect, it } from 'vitest';
import { withCanvas } from '../support/canvas';
import { press, shown } from '../support/page';
import { curvesOf, piecesOf } from '../../src/train/curves';
import { readTraining, type Metric } from '../../src/train/status';
import { accuracy, areas, decreasing, loss, readout, showTraining, settle, training } from './training';

const point = (type: string, x: number, y: number): boolean => areas()[0]!.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: x, clientY: y }));
const metricOf = (points: unknown[]): Metric => readTraining({ rows: [{ ...accuracy, lines: [{ name: '', points }] }] }).metrics[0]!;
const options = { byTime: false, log: false, eachWorker: true };

describe('the readout of a chart', () => {
  it('begins with the least and the most', () => {
    showTraining([loss]);
    expect(readout()).toBe('');
    expect(shown()).toContain('least 0.2 · most 2.3');
  });

  it('has the point nearest to the pointer, while it is there', () => {
    withCanvas();
    showTraining([accuracy]);
    point('pointermove', 60, 140);
    expect(readout()).toBe('step 1 · 0.5 s · 0.1');
    expect(shown()).not.toContain('least');
    point('pointermove', 380, 20);
    expect(readout()).toBe('step 2 · 1.1 s · 0.9');
    point('pointerleave', 0, 0);
    expect(readout()).toBe('');
  });

  it('names the line, of several', () => {
    withCanvas();
    showTraining([loss]);
    point('pointermove', 220, 12);
    expect(readout()).toBe('rank 0 · step 2 · 1.1 s · 3');
  });

  it('follows arrow keys along a line, and to the next one', () => {
    showTraining([loss]);
    const texts = ['ArrowLeft', 'ArrowLeft', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowUp'].map(key => {
      press(areas()[0]!, key);
      return readout();
    });
    expect(texts).toEqual([
      'mean · step 3 · 1.6 s · 0.25',
      'mean · step 2 · 1.1 s · 2',
      'rank 0 · step 2 · 1.1 s · 3',
      'rank 0 · step 3 · 1.6 s · 3',
      'rank 0 · step 3 · 1.6 s · 3',
      'mean · step 3 · 1.6 s · 0.25',
    ]);
  });

  it('leaves other keys to the page', () => {
    showTraining([loss]);
    expect(press(areas()[0]!, 'Enter')).toBe(true);
    expect(press(areas()[0]!, 'ArrowLeft')).toBe(false);
  });

  it('stays at its step when the curve grows', () => {
    const transport = showTraining([accuracy]);
    press(areas()[0]!, 'ArrowLeft');
    press(areas()[0]!, 'ArrowLeft');
    transport.set(training([{ ...accuracy, lines: [{ name: '', points: [[0, 0, 5], ...decreasing] }] }]));
    settle();
    expect(readout()).toBe('step 1 · 0.5 s · 2.3');
  });

  it('reads what is no number, too', () => {
    showTraining([{ ...accuracy, lines: [{ name: '', points: [[1, 0.5, 0.1], [2, 1, 'NaN'], [3, 2, '-Infinity']] }] }]);
    press(areas()[0]!, 'ArrowLeft');
    expect(readout()).toBe('step 3 · 2.0 s · -Infinity');
    press(areas()[0]!, 'ArrowLeft');
    expect(readout()).toBe('step 2 · 1.0 s · NaN');
  });
});

describe('the curves of a metric', () => {
  it('have gaps where a value is not finite', () => {
    const { curves } = curvesOf(metricOf([[1, 0, 1], [2, 0, 'NaN'], [3, 0, 'Infinity'], [4, 0, null], [5, 0, 2]]), options);
    expect(curves[0]!.positions).toEqual([[1, 1], [2, NaN], [3, NaN], [4, NaN], [5, 2]]);
  });

  it('are drawn in pieces between the gaps', () => {
    const pieces = (...pixels: number[]): number[][] => piecesOf(Float32Array.from(pixels)).map(piece => [...piece]);
    expect(pieces(1, 5, 2, 6, 3, NaN, 4, 7)).toEqual([[1, 5, 2, 6], [4, 7]]);
    expect(pieces(1, NaN, 2, NaN)).toEqual([]);
    expect(pieces()).toEqual([]);
  });

  it.each([
    [100, 'seconds', 100],
    [600, 'minutes', 10],
    [9000, 'hours', 2.5],
  ])('over time are in a unit that fits: %d s', (seconds, title, last) => {
    const { axes, curves } = curvesOf(metricOf([[1, 0, 1], [2, seconds, 2]]), { ...options, byTime: true });
    expect([axes!.x.title, curves[0]!.positions[1]![0]]).toEqual([title, last]);
  });

  it('leave out what lies far out, and say so', () => {
    const points = Array.from({ length: 100 }, (_, index) => [index, index, index === 3 ? 1e6 : index / 100]);
    const { axes, note } = curvesOf(metricOf(points), options);
    expect(axes!.y.scale.max).toBeLessThan(1);
    expect(note).toBe('1 point beyond the edge');
  });

  it('say where there is nothing to draw', () => {
    expect(curvesOf(metricOf([[1, 0, 'NaN']]), options)).toMatchObject({ axes: null, note: 'nothing that can be drawn' });
  });

  it('are those of the mean alone where that is asked for', () => {
    const [metric] = readTraining({ rows: [loss] }).metrics;
    const names = (eachWorker: boolean): string[] => curvesOf(metric!, { ...options, eachWorker }).curves.map(({ name }) => name);
    expect(names(true)).toEqual(['mean', 'rank 0', 'rank 1']);
    expect(names(false)).toEqual(['mean']);
  });

  it('are read once for each row', () => {
    const first = readTraining({ rows: [loss, accuracy] }).metrics;
    const second = readTraining({ rows: [loss, { ...accuracy }] }).metrics;
    expect(second[0]).toBe(first[0]);
    expect(second[1]).not.toBe(first[1]);
  });
});
