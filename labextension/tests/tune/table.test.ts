import { describe, expect, it, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { click, find, press, show } from '../support/page';
import { heading, many, numbers, pane, rows, running, table, withRow } from './search';

describe('the table of trials', () => {
  it('has a word for each state', () => {
    show(running);
    for (const word of ['Finished', 'Stopped early', 'Failed', 'Stopped', 'Running', 'Halting', 'Paused', 'Paused by scheduler', 'Pending']) {
      expect(rows().map(row => row.children[1]!.textContent)).toContain(word);
    }
  });

  it('sorts by number, the other way at the second click, and what is no number last', () => {
    show(searches.NaN);
    click(heading('loss').querySelector('button')!);
    expect(numbers()).toEqual(['3', '2', '1', '0']);
    expect(heading('loss').getAttribute('aria-sort')).toBe('ascending');
    click(heading('loss').querySelector('button')!);
    expect(numbers()).toEqual(['1', '2', '3', '0']);
    expect(heading('loss').getAttribute('aria-sort')).toBe('descending');
  });

  it('keeps order and selection over an update', () => {
    const transport = show(running);
    click(heading('loss').querySelector('button')!);
    click(rows()[1]!);
    const kept = rows()[2];
    transport.set(withRow(3, { metrics: [0.9, 0.1] }));
    expect(numbers().slice(0, 3)).toEqual(['0', '6', '8']);
    expect(rows()[1]).toBe(kept);
    expect(rows()[0]!.getAttribute('aria-selected')).toBe('true');
    expect(pane().textContent).toContain('Trial 0');
  });

  it('holds only the rows in sight of ten thousand', () => {
    show(many(10_000));
    expect(rows().length).toBeLessThan(40);
    expect(table().getAttribute('aria-rowcount')).toBe('10001');
    find('.ray-magics-trials-scroll').scrollTop = 28 * 5000;
    find('.ray-magics-trials-scroll').dispatchEvent(new Event('scroll'));
    expect(rows().length).toBeLessThan(40);
    expect(numbers()).toContain('5005');
    expect(rows()[0]!.getAttribute('aria-rowindex')).toBe(String(Number(numbers()[0]) + 2));
  });

  it('is walked by keys, which the notebook does not get', () => {
    show(many(1000));
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard, { once: true });
    for (const key of ['ArrowDown', 'ArrowDown', 'End', 'ArrowUp']) press(table(), key);
    expect(pane().textContent).toContain('Trial 998');
    expect(document.getElementById(table().getAttribute('aria-activedescendant')!)!.textContent).toContain('998');
    expect(heard).not.toHaveBeenCalled();
    expect(table().hasAttribute('data-lm-suppress-shortcuts')).toBe(true);
  });

  it('opens the error of a trial, and closes it by Escape', () => {
    show(running);
    click(rows()[2]!);
    expect(pane().querySelector('pre')!.textContent).toContain('ZeroDivisionError: division by zero');
    press(table(), 'Enter');
    expect(document.activeElement).toBe(pane());
    press(pane(), 'Escape');
    expect(pane().hidden).toBe(true);
    expect(document.activeElement).toBe(table());
  });
});
