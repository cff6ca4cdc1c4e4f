/** A training on a page, for tests: as the kernel sends it, and read. */
import { vi } from 'vitest';
import type { FakeTransport } from '../support/fake-transport';
import { all, show, type Row } from '../support/page';

type Point = [step: number, seconds: number, value: unknown];

export const decreasing: Point[] = [[1, 0.5, 2.3], [2, 1.1, 2], [3, 1.6, 0.25]];

/** Of two workers. */
export const loss: Row = {
  id: 'loss',
  last: 0.25,
  least: 0.2,
  most: 2.3,
  unfinite: 0,
  lines: [{ name: 'mean', points: decreasing }, { name: 'rank 0', points: decreasing.map(([step, seconds]) => [step, seconds, 3]) }, { name: 'rank 1', points: decreasing }],
};

/** Of the only worker. */
export const accuracy: Row = { id: 'accuracy', last: 0.9, least: 0.1, most: 0.9, unfinite: 0, lines: [{ name: '', points: [[1, 0.5, 0.1], [2, 1.1, 0.9]] }] };

export const many = (count: number): Row[] => Array.from({ length: count }, (_, index) => ({ ...accuracy, id: `metric ${index}` }));

export function training(rows: unknown, more: Row = {}): unknown {
  const data = { state: 'running', elapsed: 12.3, reports: 1200, workers: 2, ...more };
  return { kind: 'card', label: 'Run train', sections: [{ type: 'special', name: 'training', data, key: 'training', rows }] };
}

/** Shows a training and waits until it is drawn. */
export function showTraining(rows: unknown, more: Row = {}): FakeTransport {
  const transport = show(training(rows, more));
  settle();
  return transport;
}

export const settle = (): unknown => vi.advanceTimersByTime(1000);
export const areas = (): HTMLElement[] => all('.ray-magics-chart-area');
export const readout = (): string => all('.ray-magics-readout')[0]!.textContent!;
export const labelled = (text: string): HTMLLabelElement => all('label').find(node => node.textContent === text) as HTMLLabelElement;
export const choose = (text: string): void => {
  labelled(text).querySelector('input')!.click();
  settle();
};
