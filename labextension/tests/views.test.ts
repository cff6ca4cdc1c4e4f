import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import clusters from '../../tests/data/cluster.json';
import runs from '../../tests/data/run.json';
import tables from '../../tests/data/runs.json';
import { mount } from '../src/view';
import { FakeSource } from './support/fake-transport';

const running = runs.running;

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
  vi.useRealTimers();
});

function show(snapshot: unknown): FakeSource {
  const source = new FakeSource(snapshot);
  end = mount(root, source);
  return source;
}

const find = <T extends HTMLElement>(selector: string): T => root.querySelector<T>(selector)!;
const button = (): HTMLButtonElement => find<HTMLButtonElement>('button');
const shown = (): string => {
  const copy = root.cloneNode(true) as HTMLElement;
  copy.querySelectorAll('[hidden], .ray-magics-unseen').forEach(node => node.remove());
  return copy.textContent ?? '';
};
const message = (): string => find('.ray-magics-message:not([hidden])')?.textContent ?? '';

describe('every example', () => {
  const examples = Object.entries({ ...runs, ...clusters, ...tables }) as [string, unknown][];
  const all = [...Object.entries(runs), ...Object.entries(clusters), ...Object.entries(tables)] as [string, unknown][];

  it.each(all)('is drawn without script, image or markup of its own: %s', (_, snapshot) => {
    show(snapshot);
    expect(shown()).not.toBe('');
    expect(root.querySelectorAll('script, img, i, [onerror], [onload]').length).toBe(0);
    for (const link of root.querySelectorAll('a[href]')) expect(link.getAttribute('href')).toMatch(/^https?:/);
    expect(root.innerHTML).not.toMatch(/[\u001b\u202e]/);
  });

  it('may follow any other', () => {
    const source = show({});
    for (const [, snapshot] of [...examples, ...examples.reverse()]) source.set(snapshot);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const source = show(running);
    end();
    expect(root.children.length).toBe(0);
    expect(source.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a snapshot that is broken', () => {
  const odd: unknown[] = [undefined, null, 7, 'x', [], {}, true, NaN, [[]], { tail: 3 }, -1, 1e300, [null, {}, 4]];

  it.each(odd)('is drawn as text: %j', snapshot => {
    show(snapshot);
    expect(shown()).not.toBe('');
  });

  it.each(['run', 'cluster', 'runs', '__proto__', 'constructor'])('never throws: %s', kind => {
    const source = show({ kind });
    const whole = { ...clusters.small, ...runs['background with output'], kind };
    for (const key of Object.keys(whole)) {
      for (const value of odd) if (key !== 'kind') source.set({ ...whole, [key]: value });
    }
    expect(shown()).not.toBe('');
  });
});

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
    const source = show(running);
    const bar = find('[role=progressbar]');
    expect(bar.getAttribute('aria-valuenow')).toBe('122');
    expect(bar.getAttribute('aria-valuemax')).toBe('1797');
    source.set(runs['unknown total']);
    expect(bar.hasAttribute('aria-valuenow')).toBe(false);
  });

  it('announces a change of state, and nothing else', () => {
    const source = show(running);
    const news = find('[aria-live]');
    source.set({ ...running, done: 500 });
    expect(news.textContent).toBe('');
    source.set(runs.finished);
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
    const source = show(running);
    vi.advanceTimersByTime(2000);
    source.leave();
    vi.advanceTimersByTime(9000);
    expect(shown()).toContain('The kernel has left');
    expect(find('.ray-magics-elapsed').textContent).toBe('5 s');
    expect(button().getAttribute('aria-disabled')).toBe('true');
    expect(find('.ray-magics-card').classList).toContain('ray-magics-old');
  });
});

describe('Stop', () => {
  const click = (): boolean => button().dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));

  it('names the run and answers at once', () => {
    const source = show(running);
    click();
    expect(source.sent).toEqual([{ action: 'stop', run: '3' }]);
    expect(button().textContent).toBe('Stopping…');
  });

  it('forces at the second click', () => {
    const source = show(running);
    click();
    source.set(runs.stopping);
    expect(button().textContent).toBe('Force stop');
    click();
    expect(source.sent[1]).toEqual({ action: 'stop', run: '3', force: true });
    expect(button().textContent).toBe('Forcing…');
  });

  it('is not sent twice, nor forced by a double click', () => {
    const source = show(running);
    click();
    click();
    source.set(runs.stopping);
    button().dispatchEvent(new MouseEvent('click', { detail: 2 }));
    expect(source.sent.length).toBe(1);
  });

  it('says that it is queued when no answer comes', () => {
    const source = show(running);
    source.answer = () => new Promise(() => undefined);
    click();
    vi.advanceTimersByTime(2900);
    expect(message()).toBe('');
    vi.advanceTimersByTime(200);
    expect(message()).toContain('queued until the running cell ends');
    source.set(runs.cancelled);
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
    const source = show(running);
    source.answer = () => Promise.resolve({ status: 'error', message: 'No run 3.' });
    click();
    await vi.advanceTimersByTimeAsync(0);
    expect(message()).toBe('No run 3.');
  });

  it('does nothing where a run cannot be stopped', () => {
    const source = show(runs['stopping by force']);
    click();
    expect(source.sent).toEqual([]);
    expect(button().getAttribute('aria-disabled')).toBe('true');
  });

  it('keeps the focus while numbers change, and hands it to the card at the end', () => {
    const source = show(running);
    const before = button();
    before.focus();
    source.set({ ...running, done: 500 });
    source.set(runs.stopping);
    expect(document.activeElement).toBe(before);
    source.set(runs.cancelled);
    expect(before.hidden).toBe(true);
    expect(document.activeElement).toBe(find('.ray-magics-card'));
  });

  it('stops its own row of a table', () => {
    const source = show(tables['one of each']);
    root.querySelectorAll('button')[1]!.dispatchEvent(new MouseEvent('click', { detail: 1 }));
    expect(source.sent).toEqual([{ action: 'stop', run: '5' }]);
  });

  it('is there in the cluster too', () => {
    const source = show(clusters.small);
    click();
    expect(source.sent).toEqual([{ action: 'stop', run: '3' }]);
  });
});

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
    const source = show(withTail([['stdout', 'a', 1], ['stdout', 'b', 1], ['stdout', 'c', 1]]));
    const fold = find<HTMLDetailsElement>('details');
    fold.open = true;
    const kept = [...fold.querySelectorAll('.ray-magics-line')].slice(1);
    source.set(withTail([['stdout', 'b', 1], ['stdout', 'c', 4], ['stderr', 'd', 1]]));
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
    const source = show(withTail(tail(before)));
    source.set(withTail(tail(after)));
    expect(lines(root).join('')).toBe(after);
  });

  it('stays text, whatever it is', () => {
    show(runs.hostile);
    expect(shown()).toContain('</pre></details><script>alert(5)</script>');
    expect(shown()).toContain('red link');
    expect(shown()).not.toContain('50%');
  });
});

describe('the cluster', () => {
  it('shows resources, states and what waits', () => {
    show(clusters['40 nodes']);
    for (const words of ['1,187.5 of 1,280', '6.1 of 10 TiB', '20,415 pending node assignment', 'no node has 8 GPUs', '40 nodes, 2 dead']) {
      expect(shown()).toContain(words);
    }
    expect(find<HTMLDetailsElement>('details').open).toBe(false);
  });

  it('keeps the node table as the reader left it', () => {
    const source = show(clusters['40 nodes']);
    find<HTMLDetailsElement>('details').open = true;
    source.set({ ...clusters['40 nodes'], nodes: clusters['40 nodes'].nodes.slice(1) });
    expect(find<HTMLDetailsElement>('details').open).toBe(true);
    expect(root.querySelectorAll('.ray-magics-nodes tbody tr').length).toBe(39);
  });

  it('links to a dashboard on the web only', () => {
    const source = show(clusters.small);
    const link = find<HTMLAnchorElement>('a');
    expect(link.getAttribute('href')).toBe('http://127.0.0.1:8265/');
    expect(link.rel).toContain('noopener');
    for (const dashboard of ['javascript:alert(1)', 'data:text/html,x', '', 'no address']) {
      source.set({ ...clusters.small, dashboard });
      expect(link.hidden).toBe(true);
      expect(link.hasAttribute('href')).toBe(false);
    }
  });

  it('says in words that there is none, or no longer', () => {
    const source = show(clusters.none);
    expect(shown()).toContain('No cluster');
    expect(shown()).toContain('%ray_init');
    source.set(clusters.lost);
    expect(shown()).toContain('Connection lost');
    expect(shown()).toContain('stopped answering 12 s ago');
  });
});

describe('the runs', () => {
  it('say the number by which %ray_stop and %ray_logs know them', () => {
    show({ kind: 'runs', runs: [{ ...running, id: '17' }] });
    expect(find('tbody td').textContent).toBe('17');
  });

  it('are a table with a word for each state', () => {
    show(tables['one of each']);
    for (const words of ['Pending', 'Running', 'Stopping', 'Finished', 'Failed', 'Cancelled', '120 of 1,797 items, 2 failed']) {
      expect(shown()).toContain(words);
    }
  });

  it('say what to type when there are none', () => {
    show(tables.empty);
    expect(shown()).toContain('Nothing has run yet.');
    expect(shown()).toContain('%%ray_remote');
  });

  it('keep their rows when a new one comes first', () => {
    const [first, ...rest] = tables['one of each'].runs;
    const source = show({ kind: 'runs', runs: rest });
    const before = [...root.querySelectorAll('tbody tr')];
    source.set({ kind: 'runs', runs: [first, ...rest] });
    expect([...root.querySelectorAll('tbody tr')].slice(1)).toEqual(before);
  });
});
