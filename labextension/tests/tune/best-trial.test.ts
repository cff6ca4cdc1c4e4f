import { describe, expect, it, vi } from 'vitest';
import { all, click, find, show, shown } from '../support/page';
import { button, pane, running } from './search';

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
