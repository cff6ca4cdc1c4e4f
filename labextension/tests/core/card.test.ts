import { describe, expect, it, vi } from 'vitest';
import cards from '../../../tests/data/cards.json';
import runs from '../../../tests/data/run.json';
import { all, click, find, root, show, shown } from '../support/page';

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

type Section = Record<string, unknown>;
const card = cards['every section'];
const withSection = (place: number, more: Section): unknown => ({ ...card, sections: card.sections.map((one, index) => (index === place ? { ...one, ...more } : one)) });
const placeOf = (type: string): number => card.sections.findIndex(section => section.type === type);

describe('the sections of a card', () => {
  it('stay where others come and go above them', () => {
    const transport = show(card);
    const [details, table] = [find<HTMLDetailsElement>('details'), find('table')];
    details.open = true;
    transport.set({ ...card, sections: card.sections.filter(({ type }) => type !== 'gauges' && type !== 'text') });
    expect([find('details'), find('table')]).toEqual([details, table]);
    expect(find<HTMLDetailsElement>('details').open).toBe(true);
    expect(shown()).not.toContain('1 of 2');
  });

  it('say each its own', () => {
    show(card);
    for (const words of ['3 of 10 batches', 'goal: a name', 'fast', '2 running', '1 of 2', '1.4 of 1.5 GiB', '0.125', 'and 3 more', 'Loss', 'worker 4711 on 10.0.0.1', '1 earlier line not shown']) {
      expect(shown()).toContain(words);
    }
    expect(all('svg.ray-magics-plot polyline').length).toBe(2);
    expect(find<HTMLImageElement>('img').src).toMatch(/^data:image\/png;base64,/);
  });

  it('draw no picture of a type that may run scripts', () => {
    show(card);
    expect(all('img:not([hidden])').length).toBe(1);
  });

  it('leave out a column in which no row says anything', () => {
    const transport = show(card);
    expect(shown()).not.toContain('Empty');
    const { rows } = card.sections[placeOf('table')] as unknown as { rows: { cells: unknown[] }[] };
    transport.set(withSection(placeOf('table'), { rows: [{ ...rows[0], cells: [...rows[0]!.cells.slice(0, 5), 'now'] }] }));
    expect(shown()).toContain('Empty');
    expect(shown()).toContain('now');
  });

  it('keep the rows of a table when a new one comes first', () => {
    const transport = show(card);
    const before = all('tbody tr');
    const { rows } = card.sections[placeOf('table')] as unknown as { rows: Section[] };
    transport.set(withSection(placeOf('table'), { rows: [{ ...rows[0], id: 'new' }, ...rows] }));
    expect(all('tbody tr').slice(1, 3)).toEqual(before.slice(0, 2));
  });

  it('draw at most 200 rows of a table, and say how many there are', () => {
    const rows = Array.from({ length: 500 }, (_, index) => ({ id: `${index}`, cells: [`row ${index}`] }));
    show(withSection(placeOf('table'), { rows, columns: ['Name'], hidden: 7 }));
    expect(find('table').querySelectorAll('tbody tr').length).toBe(200);
    expect(shown()).toContain('and 307 more');
  });

  it('send what a button of a row asks, once', async () => {
    const transport = show(card);
    const pause = all('button').find(node => node.textContent === 'Pause')!;
    click(pause);
    click(pause);
    expect(transport.sent).toEqual([{ action: 'pause', run: '7', part: 'part' }]);
    expect(pause.textContent).toBe('Pause…');
    await vi.advanceTimersByTimeAsync(3100);
    expect(pause.textContent).toBe('Pause');
  });

  it('say what the kernel objects to a button of a row', async () => {
    const transport = show(card);
    transport.answer = () => Promise.resolve({ status: 'error', message: 'No run 7.' });
    click(all('button').find(node => node.textContent === 'Pause')!);
    await vi.advanceTimersByTimeAsync(0);
    expect(shown()).toContain('No run 7.');
  });

  it('send what a button in a line of its own asks, until the kernel shows another in its place', async () => {
    const transport = show(card);
    const button = (): HTMLElement => find('.ray-magics-button-line button');
    const text = button().textContent;
    click(button());
    click(button());
    expect(transport.sent).toEqual([{ action: 'show', run: 'data', part: '1' }]);
    expect(button().textContent).toBe(`${text}…`);
    transport.set(withSection(placeOf('button'), { text: 'Stop', action: { name: 'stop', run: '8' } }));
    expect(button().textContent).toBe('Stop');
    click(button());
    expect(transport.sent[1]).toEqual({ action: 'stop', run: '8' });
    transport.answer = () => Promise.resolve({ status: 'error', message: 'No run 8.' });
    await vi.advanceTimersByTimeAsync(3100);
    click(button());
    await vi.advanceTimersByTimeAsync(0);
    expect(shown()).toContain('No run 8.');
  });

  it('let nothing be asked of a kernel that has left', () => {
    const transport = show(card);
    transport.leave();
    for (const node of all('button')) click(node);
    expect(transport.sent).toEqual([]);
  });

  it('fold a group as the reader left it', () => {
    const transport = show(card);
    const [folded, opened] = all('details.ray-magics-group') as HTMLDetailsElement[];
    expect([folded!.open, opened!.open]).toEqual([false, true]);
    folded!.open = true;
    transport.set({ ...card });
    expect(folded!.open).toBe(true);
  });

  it.each([[{ type: 'special', name: 'brushes', data: {} }, 'brushes'], [{ type: 'hologram' }, 'hologram'], [{ type: '__proto__' }, '__proto__']])('say that they cannot be drawn: %j', (section, name) => {
    show({ kind: 'card', label: '', sections: [section] });
    expect(shown()).toBe(`This version of ray_magics cannot draw ${name}.`);
  });
});

describe('the card of a cluster', () => {
  const title = (): string => find('summary').textContent ?? '';

  it('shows resources, states and what waits', () => {
    show(cards['cluster 40 nodes']);
    for (const words of ['of 1280', '6.1 of 10 TiB', '20,415 waiting for a place', 'no node has 8 GPUs', '40 nodes, 2 dead']) {
      expect(shown()).toContain(words);
    }
    expect(find<HTMLDetailsElement>('details').open).toBe(false);
  });

  it('keeps the table of nodes as the reader left it', () => {
    const cluster = cards['cluster 40 nodes'];
    const transport = show(cluster);
    find<HTMLDetailsElement>('details').open = true;
    const nodes = cluster.sections.find(({ type }) => type === 'group') as unknown as { sections: [{ rows: unknown[] }] };
    const fewer = { ...nodes, title: '39 nodes', sections: [{ ...nodes.sections[0], rows: nodes.sections[0].rows.slice(1) }] };
    transport.set({ ...cluster, sections: cluster.sections.map(one => (one === (nodes as unknown) ? fewer : one)) });
    expect(title()).toBe('39 nodes');
    expect(find<HTMLDetailsElement>('details').open).toBe(true);
    expect(find('details').querySelectorAll('tbody tr').length).toBe(39);
  });

  it('links to a dashboard on the web only', () => {
    const cluster = cards['cluster small'];
    const transport = show(cluster);
    const link = find<HTMLAnchorElement>('a');
    expect(link.getAttribute('href')).toBe('http://127.0.0.1:8265/');
    expect(link.rel).toContain('noopener');
    for (const url of ['javascript:alert(1)', 'data:text/html,x', '', 'no address']) {
      const [head, ...rest] = cluster.sections;
      transport.set({ ...cluster, sections: [{ ...head, details: [{ url, text: 'Dashboard' }] }, ...rest] });
      expect(root.querySelectorAll('a[href]').length).toBe(0);
      expect(shown()).not.toContain('Dashboard');
    }
  });

  it('says in words that there is none, or no longer', () => {
    const transport = show(cards['cluster none']);
    expect(shown()).toContain('No cluster');
    expect(shown()).toContain('%ray_init');
    transport.set(cards['cluster lost']);
    expect(shown()).toContain('Connection lost');
    expect(shown()).toContain('stopped answering 12 s ago');
    expect(find('[aria-live]').textContent).toBe('Ray cluster: Connection lost');
  });
});
