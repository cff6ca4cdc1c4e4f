import { vi } from 'vitest';

/** Gives every element a width and every canvas something to draw on, which happy-dom does not; says how many lines were drawn. */
export function withCanvas(width = 400): { strokes: () => number } {
  const stroke = vi.fn();
  const quiet = (): void => undefined;
  const context = new Proxy({ stroke } as Record<string | symbol, unknown>, {
    get: (own, name) => (name === 'measureText' ? (text: string) => ({ width: 6 * text.length }) : (own[name] ?? quiet)),
  });
  vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(context as never);
  vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(width);
  return { strokes: () => stroke.mock.calls.length };
}
