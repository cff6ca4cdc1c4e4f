import { describe, expect, it, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { withCanvas } from '../support/canvas';
import { all, button, click, end, find, pane, root, rows, running, show, shown, tell, withRow } from './search';

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
    const source = show({});
    for (const [, snapshot] of [...examples, ...examples.reverse()]) source.set(snapshot);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const source = show(running);
    click(button('Stop trial 6'));
    end();
    expect(root.children.length).toBe(0);
    expect(source.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a search that is broken', () => {
  const odd: unknown[] = [undefined, null, 7, 'x', [], {}, true, NaN, [[]], { tail: 3 }, -1, 1e300, [null, {}, 4], [[1, 2], ['x']]];

  it('never throws, whatever its fields are', () => {
    withCanvas();
    const source = show({ kind: 'tune' });
    for (const key of Object.keys(running)) {
      for (const value of odd) if (key !== 'kind') source.set({ ...running, [key]: value });
      vi.advanceTimersByTime(600);
    }
    expect(shown()).not.toBe('');
  });

  it('never throws, whatever the fields of its trials are', () => {
    withCanvas();
    const source = show(running);
    tell('adam lr>0');
    for (const key of Object.keys(running.trials[0]!)) {
      for (const value of odd) {
        source.set(withRow(0, { [key]: value }));
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
    const source = show(searches['no metric']);
    expect(shown()).toContain('names no metric');
    source.set({ ...running, trials: running.trials.slice(10) });
    expect(shown()).toContain('No trial has reported loss yet.');
  });
});

describe('the best trial', () => {
  it('is named with its number and parameters, and opens at a click', () => {
    show(running);
    expect(find('.ray-magics-best').textContent).toContain('Best so farloss 0.0899trial 3');
    expect(find('.ray-magics-best').textContent).toContain('model.depth4');
    click(button('Show trial 3'));
    expect(pane().textContent).toContain('Trial 3 · Finished');
  });

  it('is marked in its row by more than colour', () => {
    show(running);
    expect(find('.ray-magics-best-row').textContent).toContain('★ best');
  });

  const copy = (): HTMLElement => all('button').find(node => /Copy|Copied/.test(node.textContent!))!;

  it('is copied as Python, and the button says so', async () => {
    const writeText = vi.fn(() => Promise.resolve());
    vi.spyOn(navigator, 'clipboard', 'get').mockReturnValue({ writeText } as never);
    show(running);
    click(copy());
    await vi.advanceTimersByTimeAsync(0);
    expect(writeText).toHaveBeenCalledWith(running.best_python);
    expect(copy().textContent).toBe('Copied');
  });

  it('is there to be copied by hand where the clipboard is refused', async () => {
    vi.spyOn(navigator, 'clipboard', 'get').mockReturnValue({ writeText: () => Promise.reject(new Error('no')) } as never);
    show(running);
    click(copy());
    await vi.advanceTimersByTimeAsync(0);
    expect(find<HTMLTextAreaElement>('textarea').value).toBe(running.best_python);
    expect(document.activeElement).toBe(find('textarea'));
    expect(shown()).toContain('Ctrl+C');
  });
});
