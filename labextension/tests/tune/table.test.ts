import { describe, expect, it, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { all, button, click, find, heading, many, numbers, pane, press, rows, running, show, shown, table, tell, withRow } from './search';

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
    const source = show(running);
    click(heading('loss').querySelector('button')!);
    click(rows()[1]!);
    const kept = rows()[2];
    source.set(withRow(3, { metrics: [0.9, 0.1] }));
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

describe('the filter', () => {
  it.each([
    ['sgd', ['1', '4', '9', '10']],
    ['adamw lr<0.005', ['7', '11']],
    ['lr > 0.05  loss<=0.3', ['5', '9']],
    ['depth=3', ['0', '7', '12']],
    ['opt!=sgd bias=false', ['5', '8']],
    ['state=failed', ['2']],
    ['state=ERROR', ['2']],
    ['10.0.0.3', ['5', '6']],
    ['trial=11', ['11']],
    ['early', ['1', '4']],
    ['time>30 iterations>=20', ['0', '3']],
  ])('understands %s', (text, expected) => {
    show(running);
    tell(text);
    expect(numbers()).toEqual(expected);
    expect(shown()).toContain(`${expected.length} of 13 trials`);
  });

  it('says what it does not understand, and holds to the rest', () => {
    show(running);
    tell('rate>3 lr>x sgd');
    expect(shown()).toContain('There is no column "rate".');
    expect(shown()).toContain('"lr>" needs a number after it.');
    expect(numbers().length).toBe(4);
  });

  it('says when nothing is left', () => {
    show(running);
    tell('nothing-like-this');
    expect(shown()).toContain('No trial passes the filter.');
    expect(shown()).toContain('0 of 13 trials');
  });

  it('goes by state too, with the numbers of each', () => {
    show(running);
    const states = find<HTMLSelectElement>('select');
    expect(states.textContent).toContain('Stopped early (2)');
    states.value = 'Stopped early';
    states.dispatchEvent(new Event('change'));
    expect(numbers()).toEqual(['1', '4']);
  });

  it('keeps its keys to itself', () => {
    show(running);
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard, { once: true });
    press(find('input[type=search]'), 'd');
    expect(heard).not.toHaveBeenCalled();
    expect(find('input[type=search]').hasAttribute('data-lm-suppress-shortcuts')).toBe(true);
  });

  it('holds for trials that come later', () => {
    const source = show({ ...running, trials: running.trials.slice(0, 3) });
    tell('sgd');
    source.set(running);
    expect(numbers()).toEqual(['1', '4', '9', '10']);
  });
});

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
    const source = show(running);
    click(button(label));
    expect(source.sent).toEqual([{ action, run: '7', part }]);
    expect(labels(Number(part.slice(-2)))).toEqual([words]);
    expect(pane().hidden).toBe(true);
  });

  it('are not sent twice, and are done when the trial has moved', () => {
    const source = show(running);
    click(button('Stop trial 6'));
    click(all('button').find(node => node.textContent === 'Stopping…')!);
    expect(source.sent.length).toBe(1);
    source.set(withRow(6, { how: 'asked' }));
    expect(labels(6)).toEqual([]);
    expect(rows()[6]!.textContent).toContain('Halting');
  });

  it('say that they are queued when no answer comes', () => {
    const source = show(running);
    source.answer = () => new Promise(() => undefined);
    click(button('Pause trial 6'));
    vi.advanceTimersByTime(3100);
    expect(shown()).toContain('Trial 6: The kernel is busy: the request is queued');
    expect(labels(6)).toEqual(['Pause', 'Stop']);
  });

  it('show what the kernel objects', async () => {
    const source = show(running);
    source.answer = () => Promise.resolve({ status: 'error', message: 'Too late.' });
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
    const source = show(running);
    source.leave();
    expect(labels(6)).toEqual([]);
    source.left = false;
    source.set({ ...running, state: 'stopping' });
    expect(labels(6)).toEqual([]);
    source.set({ ...running, state: 'failed', stoppable: false });
    expect(labels(6)).toEqual([]);
  });
});
