import { describe, expect, it, vi } from 'vitest';
import { all, click, show, shown } from '../support/page';
import { button, pane, rows, running, withRow } from './search';

describe('the actions of a trial', () => {
  const labels = (place: number): string[] => [...rows()[place]!.querySelectorAll<HTMLElement>('button')].filter(one => !one.hidden).map(one => one.textContent!);

  it('are those that its state allows', () => {
    show(running);
    expect([6, 7, 8, 9, 11, 0].map(labels)).toEqual([['Pause', 'Stop'], [], ['Resume', 'Stop'], ['Stop'], ['Stop'], []]);
  });

  it.each([
    ['stop', 'Stop trial 6', 'a1b2_00006', 'Stopping…'],
    ['pause', 'Pause trial 6', 'a1b2_00006', 'Pausing…'],
    ['resume', 'Resume trial 8', 'a1b2_00008', 'Resuming…'],
  ])('ask for one trial and answer at once: %s', (action, label, part, words) => {
    const transport = show(running);
    click(button(label));
    expect(transport.sent).toEqual([{ action, run: '7', part }]);
    expect(labels(Number(part.slice(-2)))).toEqual([words]);
    expect(pane().hidden).toBe(true);
  });

  it('are not sent twice, and are done when the trial has moved', () => {
    const transport = show(running);
    click(button('Stop trial 6'));
    click(all('button').find(node => node.textContent === 'Stopping…')!);
    expect(transport.sent.length).toBe(1);
    transport.set(withRow(6, { how: 'asked' }));
    expect(labels(6)).toEqual([]);
    expect(rows()[6]!.textContent).toContain('Halting');
  });

  it('say that they are queued when no answer comes', () => {
    const transport = show(running);
    transport.answer = () => new Promise(() => undefined);
    click(button('Pause trial 6'));
    vi.advanceTimersByTime(3100);
    expect(shown()).toContain('Trial 6: The kernel is busy: the request is queued');
    expect(labels(6)).toEqual(['Pause', 'Stop']);
  });

  it('show what the kernel objects', async () => {
    const transport = show(running);
    transport.answer = () => Promise.resolve({ status: 'error', message: 'Too late.' });
    click(button('Stop trial 6'));
    await vi.advanceTimersByTimeAsync(0);
    expect(shown()).toContain('Trial 6: Too late.');
  });

  it('tell what a pause costs', () => {
    show(running);
    expect(button('Pause trial 6').title).toBe('goes on from its last checkpoint');
    expect(button('Pause trial 10').title).toContain('would start again from the beginning');
  });

  it('are reached by keyboard below the table', () => {
    show(running);
    click(rows()[6]!);
    const buttons = [...pane().querySelectorAll<HTMLElement>('button')].filter(one => !one.hidden);
    expect(buttons.map(one => [one.textContent, one.tabIndex])).toEqual([['Pause', 0], ['Stop', 0], ['Close', 0]]);
  });

  it('are gone when the kernel is, when the search stops and when it has ended', () => {
    const transport = show(running);
    transport.leave();
    expect(labels(6)).toEqual([]);
    transport.kernelGone = false;
    transport.set({ ...running, state: 'stopping' });
    expect(labels(6)).toEqual([]);
    transport.set({ ...running, state: 'failed', stoppable: false });
    expect(labels(6)).toEqual([]);
  });
});
