import { describe, expect, it, vi } from 'vitest';
import runs from '../../../tests/data/run.json';
import { find, show, shown } from '../support/page';

const button = (): HTMLButtonElement => find<HTMLButtonElement>('button');
const running = runs.running;

describe('the card of a run', () => {
  it('says how far it is', () => {
    show(running);
    expect(shown()).toContain('Running');
    expect(shown()).toContain('In[4]');
    expect(shown()).toContain('120 of 1,797 items · 38 items/s · 45 s left · 2 failed · 4 running');
  });

  it('says why it waits', () => {
    show(runs.pending);
    expect(shown()).toContain('Waits for CPU: the cell asks for 2, 1 of 2 is free.');
  });

  it('shows no numbers for a single task', () => {
    show(runs['running task']);
    expect(find('.ray-magics-facts').hidden).toBe(true);
  });

  it('tells assistive technology how far it is', () => {
    const transport = show(running);
    const bar = find('[role=progressbar]');
    expect(bar.getAttribute('aria-valuenow')).toBe('122');
    expect(bar.getAttribute('aria-valuemax')).toBe('1797');
    transport.set(runs['unknown total']);
    expect(bar.hasAttribute('aria-valuenow')).toBe(false);
  });

  it('announces a change of state, and nothing else', () => {
    const transport = show(running);
    const news = find('[aria-live]');
    transport.set({ ...running, done: 500 });
    expect(news.textContent).toBe('');
    transport.set(runs.finished);
    expect(news.textContent).toBe('In[4] finished');
  });

  it('ticks between two snapshots', () => {
    show(running);
    vi.advanceTimersByTime(3000);
    expect(find('.ray-magics-elapsed').textContent).toBe('6 s');
  });

  it('stands still when it has ended', () => {
    show(runs.finished);
    vi.advanceTimersByTime(5000);
    expect(find('.ray-magics-elapsed').textContent).toBe('48 s');
  });

  it('counts down what is left, and leaves it out when that was wrong', () => {
    show(running);
    vi.advanceTimersByTime(10_000);
    expect(shown()).toContain('35 s left');
    vi.advanceTimersByTime(40_000);
    expect(shown()).not.toContain('left');
  });

  it('stands still when the kernel has left', () => {
    const transport = show(running);
    vi.advanceTimersByTime(2000);
    transport.leave();
    vi.advanceTimersByTime(9000);
    expect(shown()).toContain('The kernel has left');
    expect(find('.ray-magics-elapsed').textContent).toBe('5 s');
    expect(button().getAttribute('aria-disabled')).toBe('true');
    expect(find('.ray-magics-card').classList).toContain('ray-magics-old');
  });
});
