/** A search on a page, for tests: shown, read as a user reads it, clicked and typed into. */
import { afterEach, beforeEach, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { mount } from '../../src/view';
import { FakeSource } from '../support/fake-transport';

export const running = searches.running;
export type Row = Record<string, unknown>;

export let root: HTMLElement;
export let end = (): void => undefined;

beforeEach(() => {
  vi.useFakeTimers();
  root = document.createElement('div');
  document.body.append(root);
});

afterEach(() => {
  end();
  root.remove();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

export function show(snapshot: unknown): FakeSource {
  const source = new FakeSource(snapshot);
  end = mount(root, source);
  return source;
}

export const find = <T extends HTMLElement>(selector: string): T => root.querySelector<T>(selector)!;
export const all = (selector: string): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(selector)];
export const rows = (): HTMLElement[] => all('tbody:not([aria-hidden]) tr');
export const numbers = (): string[] => rows().map(row => row.querySelector('td span')!.textContent ?? '');
export const table = (): HTMLElement => find('table[role=grid]');
export const pane = (): HTMLElement => find('.ray-magics-pane');
export const press = (node: HTMLElement, key: string): boolean => node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
export const click = (node: HTMLElement): boolean => node.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
export const heading = (title: string): HTMLElement => all('th').find(node => node.textContent!.startsWith(title))!;
export const button = (label: string): HTMLElement => all('button').find(node => node.getAttribute('aria-label')?.startsWith(label) && !node.hidden)!;
export const tell = (text: string): void => {
  find<HTMLInputElement>('input[type=search]').value = text;
  find('input[type=search]').dispatchEvent(new Event('input'));
  vi.advanceTimersByTime(200);
};
export const shown = (): string => {
  const copy = root.cloneNode(true) as HTMLElement;
  copy.querySelectorAll('[hidden], .ray-magics-unseen').forEach(node => node.remove());
  return copy.textContent ?? '';
};
export const withRow = (place: number, more: Row): unknown => ({ ...running, trials: running.trials.map((row, index) => (index === place ? { ...row, ...more } : row)) });

export function many(count: number): { trials: Row[] } {
  const curve = [[1, 0.5], [2, 0.4]];
  const trials = Array.from({ length: count }, (_, index) => ({ ...running.trials[0], id: `t${index}`, number: index, metrics: [(index * 7919) % count, 0.5], curve }));
  return { ...running, trials };
}
