import { describe, expect, it, vi } from 'vitest';
import cards from '../../../tests/data/cards.json';
import runs from '../../../tests/data/run.json';
import tables from '../../../tests/data/runs.json';
import { find, root, show } from '../support/page';

const button = (): HTMLButtonElement => find<HTMLButtonElement>('button:not([hidden])');
const message = (): string => find('.ray-magics-message:not([hidden])')?.textContent ?? '';
const running = runs.running;

describe('Stop', () => {
  const click = (): boolean => button().dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));

  it('names the run and answers at once', () => {
    const transport = show(running);
    click();
    expect(transport.sent).toEqual([{ action: 'stop', run: '3' }]);
    expect(button().textContent).toBe('Stopping…');
  });

  it('forces at the second click', () => {
    const transport = show(running);
    click();
    transport.set(runs.stopping);
    expect(button().textContent).toBe('Force stop');
    click();
    expect(transport.sent[1]).toEqual({ action: 'stop', run: '3', force: true });
    expect(button().textContent).toBe('Forcing…');
  });

  it('is not sent twice, nor forced by a double click', () => {
    const transport = show(running);
    click();
    click();
    transport.set(runs.stopping);
    button().dispatchEvent(new MouseEvent('click', { detail: 2 }));
    expect(transport.sent.length).toBe(1);
  });

  it('says that it is queued when no answer comes', () => {
    const transport = show(running);
    transport.answer = () => new Promise(() => undefined);
    click();
    vi.advanceTimersByTime(2900);
    expect(message()).toBe('');
    vi.advanceTimersByTime(200);
    expect(message()).toContain('queued until the running cell ends');
    transport.set(runs.cancelled);
    expect(message()).toBe('');
  });

  it('says nothing of a queue when it was answered', async () => {
    show(running);
    click();
    await vi.advanceTimersByTimeAsync(4000);
    expect(message()).toBe('');
    expect(button().textContent).toBe('Stop');
  });

  it('shows what the kernel objects', async () => {
    const transport = show(running);
    transport.answer = () => Promise.resolve({ status: 'error', message: 'No run 3.' });
    click();
    await vi.advanceTimersByTimeAsync(0);
    expect(message()).toBe('No run 3.');
  });

  it('does nothing where a run cannot be stopped', () => {
    const transport = show({ ...runs.stopping, stoppable: false });
    click();
    expect(transport.sent).toEqual([]);
    expect(button().getAttribute('aria-disabled')).toBe('true');
  });

  it('keeps the focus while numbers change, and hands it to the card at the end', () => {
    const transport = show(running);
    const before = button();
    before.focus();
    transport.set({ ...running, done: 500 });
    transport.set(runs.stopping);
    expect(document.activeElement).toBe(before);
    transport.set(runs.cancelled);
    expect(before.hidden).toBe(true);
    expect(document.activeElement).toBe(find('.ray-magics-card'));
  });

  it('stops its own row of a table', () => {
    const transport = show(tables['one of each']);
    root.querySelectorAll('button')[1]!.dispatchEvent(new MouseEvent('click', { detail: 1 }));
    expect(transport.sent).toEqual([{ action: 'stop', run: '5' }]);
  });

  it('is there in the cluster too', () => {
    const transport = show(cards['cluster small']);
    click();
    expect(transport.sent).toEqual([{ action: 'stop', run: '3' }]);
  });
});
