/** A search on a page, for tests: read, clicked and typed into. */
import { vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { all, find, type Row } from '../support/page';

export const running = searches.running;

export const rows = (): HTMLElement[] => all('tbody:not([aria-hidden]) tr');
export const numbers = (): string[] => rows().map(row => row.querySelector('td span')!.textContent ?? '');
export const table = (): HTMLElement => find('table[role=grid]');
export const pane = (): HTMLElement => find('.ray-magics-pane');
export const heading = (title: string): HTMLElement => all('th').find(node => node.textContent!.startsWith(title))!;
export const button = (label: string): HTMLElement => all('button').find(node => node.getAttribute('aria-label')?.startsWith(label) && !node.hidden)!;
export const typeFilter = (text: string): void => {
  find<HTMLInputElement>('input[type=search]').value = text;
  find('input[type=search]').dispatchEvent(new Event('input'));
  vi.advanceTimersByTime(200);
};
export const withRow = (place: number, more: Row): unknown => ({ ...running, trials: running.trials.map((row, index) => (index === place ? { ...row, ...more } : row)) });

export function many(count: number): { trials: Row[] } {
  const curve = [[1, 0.5], [2, 0.4]];
  const trials = Array.from({ length: count }, (_, index) => ({ ...running.trials[0], id: `t${index}`, number: index, metrics: [(index * 7919) % count, 0.5], curve }));
  return { ...running, trials };
}
