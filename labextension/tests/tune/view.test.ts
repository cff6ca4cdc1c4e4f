import { describe, expect, it, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { withCanvas } from '../support/canvas';
import { click, end, ODD, root, show, shown } from '../support/page';
import { button, rows, running, typeFilter, withRow } from './search';

describe('every example of a search', () => {
  const examples = Object.entries(searches) as [string, unknown][];

  it.each(examples)('is drawn without script, image or markup of its own: %s', (_, snapshot) => {
    withCanvas();
    show(snapshot);
    vi.advanceTimersByTime(1000);
    rows().forEach(click);
    expect(shown()).not.toBe('');
    expect(root.querySelectorAll('script, img, i, u, [onerror], [onload], a').length).toBe(0);
    expect(root.innerHTML).not.toMatch(/[\u001b\u202e]/);
  });

  it('may follow any other', () => {
    const transport = show({});
    for (const [, snapshot] of [...examples, ...examples.reverse()]) transport.set(snapshot);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const transport = show(running);
    click(button('Stop trial 6'));
    end();
    expect(root.children.length).toBe(0);
    expect(transport.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a search that is broken', () => {
  it('never throws, whatever its fields are', () => {
    withCanvas();
    const transport = show({ kind: 'tune' });
    for (const key of Object.keys(running)) {
      for (const value of ODD) if (key !== 'kind') transport.set({ ...running, [key]: value });
      vi.advanceTimersByTime(600);
    }
    expect(shown()).not.toBe('');
  });

  it('never throws, whatever the fields of its trials are', () => {
    withCanvas();
    const transport = show(running);
    typeFilter('adam lr>0');
    for (const key of Object.keys(running.trials[0]!)) {
      for (const value of ODD) {
        transport.set(withRow(0, { [key]: value }));
        vi.advanceTimersByTime(600);
      }
    }
    expect(shown()).toContain('Running');
  });
});

describe('the search', () => {
  it('says how far it is, what it wants and what became of its trials', () => {
    show(running);
    for (const words of ['5 of 40 trials', '1 failed', '2 paused', 'Goal: lowest loss · search: random · scheduler: asha', 'Results: /home/me']) {
      expect(shown()).toContain(words);
    }
    expect(button('Stop all train').textContent).toBe('Stop all');
  });

  it('shows no tools before there is a trial', () => {
    show(searches.empty);
    expect(shown()).toContain('Waits for CPU');
    expect(shown()).not.toContain('State');
    expect(shown()).toContain('none yet');
  });

  it('says why there are no curves', () => {
    const transport = show(searches['no metric']);
    expect(shown()).toContain('names no metric');
    transport.set({ ...running, trials: running.trials.slice(10) });
    expect(shown()).toContain('No trial has reported loss yet.');
  });
});
