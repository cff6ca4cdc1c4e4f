import { describe, expect, it } from 'vitest';
import runs from '../../../tests/data/run.json';
import { find, root, show, shown } from '../support/page';

describe('the output of workers', () => {
  const example = runs['background with output'];
  const lines = (fold: Element): string[] => [...fold.querySelectorAll('.ray-magics-line')].map(line => line.textContent ?? '');
  const withTail = (tail: unknown[][]): unknown => ({ ...example, workers: [{ ...example.workers[0], tail }] });

  it('is folded, with repeats and stderr marked', () => {
    show(example);
    const fold = find<HTMLDetailsElement>('details');
    expect(fold.open).toBe(false);
    expect(fold.textContent).toContain('1,834 earlier lines not shown');
    expect(lines(fold)).toEqual(['shard 12 read', 'shard 12: 4,096 rows ×3', 'stderr retry: connection reset ×12', 'shard 13 read']);
  });

  it('begins at its end when it is opened', () => {
    show(example);
    const box = find<HTMLElement>('.ray-magics-lines');
    Object.defineProperty(box, 'scrollHeight', { value: 700 });
    find('details').dispatchEvent(new Event('toggle'));
    expect(box.scrollTop).toBe(700);
  });

  it('is open for a single task', () => {
    show(runs['running task']);
    expect(find<HTMLDetailsElement>('details').open).toBe(true);
  });

  it('stays open over updates, and its old lines stay the same nodes', () => {
    const transport = show(withTail([['stdout', 'a', 1], ['stdout', 'b', 1], ['stdout', 'c', 1]]));
    const fold = find<HTMLDetailsElement>('details');
    fold.open = true;
    const kept = [...fold.querySelectorAll('.ray-magics-line')].slice(1);
    transport.set(withTail([['stdout', 'b', 1], ['stdout', 'c', 4], ['stderr', 'd', 1]]));
    expect(find('details')).toBe(fold);
    expect(fold.open).toBe(true);
    expect([...fold.querySelectorAll('.ray-magics-line')].slice(0, 2)).toEqual(kept);
    expect(lines(fold)).toEqual(['b', 'c ×4', 'stderr d']);
  });

  it.each([
    ['grows', 'ab', 'abcd'],
    ['moves on', 'abcd', 'cdef'],
    ['begins anew', 'abc', 'xyz'],
    ['repeats itself', 'aab', 'abaab'],
    ['shrinks', 'abcd', 'ab'],
    ['empties', 'abc', ''],
  ])('is right when it %s', (_, before, after) => {
    const tail = (text: string): unknown[][] => [...text].map(letter => ['stdout', letter, 1]);
    const transport = show(withTail(tail(before)));
    transport.set(withTail(tail(after)));
    expect(lines(root).join('')).toBe(after);
  });

  it('stays text, whatever it is', () => {
    show(runs.hostile);
    expect(shown()).toContain('</pre></details><script>alert(5)</script>');
    expect(shown()).toContain('red link');
    expect(shown()).not.toContain('50%');
  });
});
