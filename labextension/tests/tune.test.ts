import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import searches from '../../tests/data/tune.json';
import { number } from '../src/format';
import { scaleOf, ticks } from '../src/scale';
import { mount } from '../src/view';
import { withCanvas } from './canvas';
import { FakeSource } from './fake';

const running = searches.running;
type Row = Record<string, unknown>;

let root: HTMLElement;
let end = (): void => undefined;

beforeEach(() => {
  vi.useFakeTimers();
  root = document.createElement('div');
  document.body.append(root);
});

afterEach(() => {
  end();
  root.remove();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function show(snapshot: unknown): FakeSource {
  const source = new FakeSource(snapshot);
  end = mount(root, source);
  return source;
}

const find = <T extends HTMLElement>(selector: string): T => root.querySelector<T>(selector)!;
const all = (selector: string): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(selector)];
const rows = (): HTMLElement[] => all('tbody:not([aria-hidden]) tr');
const numbers = (): string[] => rows().map(row => row.querySelector('td span')!.textContent ?? '');
const table = (): HTMLElement => find('table[role=grid]');
const pane = (): HTMLElement => find('.ray-magics-pane');
const press = (node: HTMLElement, key: string): boolean => node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const click = (node: HTMLElement): boolean => node.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
const heading = (title: string): HTMLElement => all('th').find(node => node.textContent!.startsWith(title))!;
const button = (label: string): HTMLElement => all('button').find(node => node.getAttribute('aria-label')?.startsWith(label) && !node.hidden)!;
const tell = (text: string): void => {
  find<HTMLInputElement>('input[type=search]').value = text;
  find('input[type=search]').dispatchEvent(new Event('input'));
  vi.advanceTimersByTime(200);
};
const shown = (): string => {
  const copy = root.cloneNode(true) as HTMLElement;
  copy.querySelectorAll('[hidden], .ray-magics-unseen').forEach(node => node.remove());
  return copy.textContent ?? '';
};
const withRow = (place: number, more: Row): unknown => ({ ...running, trials: running.trials.map((row, index) => (index === place ? { ...row, ...more } : row)) });

function many(count: number): { trials: Row[] } {
  const curve = [[1, 0.5], [2, 0.4]];
  const trials = Array.from({ length: count }, (_, index) => ({ ...running.trials[0], id: `t${index}`, number: index, metrics: [(index * 7919) % count, 0.5], curve }));
  return { ...running, trials };
}

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

describe('the pictures', () => {
  const areas = (): HTMLElement[] => all('.ray-magics-chart-area');
  const point = (node: HTMLElement, type: string, x: number, y: number): boolean =>
    node.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: x, clientY: y, button: 0 }));
  const brush = (x: number, from: number, to: number): void => {
    point(areas()[1]!, 'pointerdown', x, from);
    point(areas()[1]!, 'pointermove', x, to);
    point(areas()[1]!, 'pointerup', x, to);
    vi.advanceTimersByTime(600);
  };
  const setUp = (snapshot: unknown): FakeSource => {
    withCanvas();
    HTMLElement.prototype.setPointerCapture = () => undefined;
    const source = show(snapshot);
    vi.advanceTimersByTime(1000);
    return source;
  };

  it('say how many trials they draw', () => {
    setUp(many(3000));
    expect(shown()).toContain('500 of 3,000 trials drawn');
    expect(areas()[0]!.getAttribute('aria-label')).toContain('loss over iterations');
  });

  it('go by trial where each reports once', () => {
    setUp(searches['one report each']);
    expect(areas()[0]!.getAttribute('aria-label')).toContain('loss of each trial');
  });

  it('are drawn twice a second at most, and only for news', () => {
    const { strokes } = withCanvas();
    const source = show(running);
    vi.advanceTimersByTime(600);
    const before = strokes();
    vi.advanceTimersByTime(5000);
    expect(strokes()).toBe(before);
    for (let step = 0; step < 10; step += 1) source.set(withRow(6, { seconds: step }));
    vi.advanceTimersByTime(600);
    expect(strokes()).toBeLessThan(2.5 * before);
  });

  it('are not drawn while they cannot be seen', () => {
    const { strokes } = withCanvas(0);
    show(running);
    vi.advanceTimersByTime(2000);
    expect(strokes()).toBe(0);
  });

  it('select a trial by keys', () => {
    setUp(running);
    press(areas()[0]!, 'ArrowDown');
    expect(pane().textContent).toContain('Trial 3');
    press(areas()[0]!, 'ArrowDown');
    expect(pane().textContent).toContain('Trial 0');
  });

  it('filter by brushes, all of which must hold, and say how to be rid of them', () => {
    setUp(running);
    brush(26, 30, 120);
    const some = numbers();
    expect(some.length).toBeLessThan(13);
    for (const one of some) expect(running.trials[Number(one)]!.params[0]).toBeGreaterThan(0.005);
    brush(374, 228, 150);
    expect(numbers().length).toBeLessThan(some.length);
    click(all('button').find(node => node.textContent === 'Clear brushes')!);
    expect(numbers().length).toBe(13);
  });

  it('forget the brush of an axis that is clicked', () => {
    setUp(running);
    brush(26, 30, 120);
    brush(26, 60, 60);
    expect(numbers().length).toBe(13);
  });

  it('keep a brush when the axis grows', () => {
    const source = setUp(running);
    brush(26, 31, 120);
    const before = numbers();
    source.set(withRow(1, { params: [9.5, 8, 'sgd', false] }));
    expect(numbers()).toEqual(before.filter(one => one !== '1'));
  });
});

describe('an axis', () => {
  it.each([
    [[0, 1], false, ['0', '0.5', '1']],
    [[0.08, 0.6], false, ['0.2', '0.4', '0.6']],
    [[1e-5, 0.1], true, ['1e-5', '0.0001', '0.001', '0.01', '0.1']],
    [[3], false, ['2.8', '3', '3.2']],
    [[-1, NaN, Infinity, 1], false, ['-1', '0', '1']],
  ] as [number[], boolean, string[]][])('has few round ticks: %j', (values, log, expected) => {
    expect(ticks(scaleOf(values, log)!, 3).map(number)).toEqual(expected);
  });

  it('is none without numbers', () => {
    expect(scaleOf([NaN, Infinity], false)).toBe(null);
    expect(scaleOf([0, -3], true)).toBe(null);
  });

  it('leaves out what a diverging trial has reported, and says so', () => {
    const scale = scaleOf([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1e9], false, true)!;
    expect([scale.hi, scale.beyond]).toEqual([0.6, 1]);
  });
});
