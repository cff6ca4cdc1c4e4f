/** A view on a page, for tests: shown, and read as a user reads it. */
import { afterEach, beforeEach, vi } from 'vitest';
import { mount } from '../../src/view';
import { cardOf } from './cards';
import { FakeTransport } from './fake-transport';

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

/** Shows a card, or the card of a status; so does `set` of the transport. */
export function show(snapshot: unknown): FakeTransport {
  const transport = new FakeTransport(snapshot, cardOf);
  end = mount(root, transport);
  return transport;
}

export const find = <T extends HTMLElement>(selector: string): T => root.querySelector<T>(selector)!;
export const all = (selector: string): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(selector)];
export const click = (node: HTMLElement): boolean => node.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
export const press = (node: HTMLElement, key: string): boolean => node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
export const shown = (): string => {
  const copy = root.cloneNode(true) as HTMLElement;
  copy.querySelectorAll('[hidden], .ray-magics-unseen').forEach(node => node.remove());
  return copy.textContent ?? '';
};

/** Values that a field of a broken snapshot may have. */
export const ODD: unknown[] = [undefined, null, 7, 'x', [], {}, true, NaN, [[]], { tail: 3 }, -1, 1e300, [null, {}, 4], [[1, 2], ['x']]];
