import { expect, it, vi } from 'vitest';
import { keyedList } from '../../src/core/component';

it('moves only what has moved, for the rest would lose focus and scroll position', () => {
  const root = document.createElement('div');
  const list = keyedList<string>(root, name => name, name => ({ node: document.createElement(name), update: () => undefined }));
  const moves = vi.spyOn(root, 'insertBefore');
  list.update(['a', 'b', 'i']);
  moves.mockClear();
  list.update(['b', 'i', 'a']);
  expect([...root.children].map(node => node.tagName)).toEqual(['B', 'I', 'A']);
  expect(moves).not.toHaveBeenCalled();
});
