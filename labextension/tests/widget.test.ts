import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import runs from '../../tests/data/run.json';
import searches from '../../tests/data/tune.json';
import { transportOf } from '../src/anywidget-transport';
import { cardOf, runCard } from './support/cards';
import widget from '../src/widget';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Control {
  channel: string;
  header: { msg_type: string; session: string };
  content: unknown;
}

function start(kernel?: { sendControlMessage(message: Control): { done: Promise<{ content: unknown }> } }) {
  const el = document.createElement('div');
  const model = {
    get: (trait: string) => (trait === 'rows' ? {} : runCard(runs.running)),
    on: vi.fn(),
    off: vi.fn(),
    send: vi.fn(),
    widget_manager: kernel && { kernel: { clientId: 'me', username: 'you', ...kernel } },
  };
  const end = widget.render({ model: model as never, el });
  const click = (): boolean => el.querySelector('button')!.dispatchEvent(new MouseEvent('click', { detail: 1 }));
  const message = (): string => el.querySelector('.ray-magics-message')!.textContent ?? '';
  return { el, model, end, click, message };
}

it('asks over the control channel, which is heard while a cell runs', async () => {
  const sendControlMessage = vi.fn((_message: Control) => ({ done: Promise.resolve({ content: { status: 'ok' } }) }));
  const view = start({ sendControlMessage });
  view.click();
  await vi.advanceTimersByTimeAsync(0);
  expect(sendControlMessage.mock.calls[0]![0]).toMatchObject({
    channel: 'control',
    header: { msg_type: 'ray_magics_request', session: 'me' },
    content: { action: 'stop', run: '3' },
  });
  expect(view.model.send).not.toHaveBeenCalled();
});

it('sends a widget message where there is no control channel, and says that it is queued', async () => {
  const view = start();
  view.click();
  await vi.advanceTimersByTimeAsync(3100);
  expect(view.model.send).toHaveBeenCalledWith({ action: 'stop', run: '3' });
  expect(view.message()).toContain('queued');
});

it.each([
  ['does not answer', () => ({ done: new Promise<never>(() => undefined) })],
  ['fails', () => ({ done: Promise.reject(new Error('gone')) })],
  ['is gone', () => { throw new Error('disposed'); }],
])('sends a widget message when the control channel %s', async (_, sendControlMessage) => {
  vi.spyOn(console, 'debug').mockImplementation(() => undefined);
  const view = start({ sendControlMessage });
  view.click();
  await vi.advanceTimersByTimeAsync(2600);
  expect(view.model.send).toHaveBeenCalledOnce();
});

it('lets go of its model', () => {
  const view = start();
  view.end();
  expect(view.model.off.mock.calls.length).toBe(view.model.on.mock.calls.length);
  expect(view.el.children.length).toBe(0);
});

describe('a view whose output the kernel replaces', () => {
  const place = (key: string): string => `<div class="jp-RenderedHTMLCommon"><div data-ray-magics-place="${key}">still</div></div>`;

  /** A model with one view, and the end of both. */
  function open(key: string) {
    const heard = new Set<() => void>();
    const state: Record<string, unknown> = { snapshot: runCard(runs.running), rows: {}, place: key };
    const owner = { get: (name: string) => state[name], on: (_: string, callback: () => void) => void heard.add(callback), off: (_: string, callback: () => void) => void heard.delete(callback), send: vi.fn() };
    const close = widget.initialize({ model: owner as never });
    const el = document.body.appendChild(document.createElement('div'));
    const leave = widget.render({ model: { ...owner, on: vi.fn(), off: vi.fn() } as never, el });
    const html = (content: string): HTMLElement => {
      el.innerHTML = content;
      return el;
    };
    const tell = (snapshot: unknown): void => {
      state.snapshot = snapshot;
      for (const callback of heard) callback();
    };
    return { el, close, leave, html, tell, heard };
  }

  afterEach(() => document.body.replaceChildren());

  it('goes on at the place in the HTML, with what comes still, until its model is closed', async () => {
    const { el, close, leave, html, tell, heard } = open('key 1');
    leave();
    html(place('key 1'));
    await vi.advanceTimersByTimeAsync(1);
    expect(el.querySelector('.ray-magics-view')).not.toBe(null);
    expect(el.querySelector('.jp-RenderedHTMLCommon')).toBe(null);
    tell(runCard(runs.finished));
    expect(el.textContent).toContain('Finished');
    close();
    expect(el.textContent).toBe('still');
    expect(heard.size).toBe(0);
  });

  it('ends after a while where there is no such place', async () => {
    const { el, leave, html, heard } = open('key 2');
    leave();
    html(place('another'));
    await vi.advanceTimersByTimeAsync(5100);
    expect(el.textContent).toBe('still');
    expect(heard.size).toBe(1); // that of the rows
  });
});

describe('a model whose output is still HTML', () => {
  const place = '<div class="jp-RenderedHTMLCommon"><div data-ray-magics-place="key 3">still</div></div>';

  function initialize(still: boolean) {
    const state: Record<string, unknown> = { snapshot: runCard(runs.finished), rows: {}, place: 'key 3', still };
    return widget.initialize({ model: { get: (name: string) => state[name], on: vi.fn(), off: vi.fn(), send: vi.fn() } as never });
  }

  afterEach(() => document.body.replaceChildren());

  it('is shown there without a view, again where that HTML comes again, until it is closed', async () => {
    const close = initialize(true);
    for (let time = 0; time < 2; time++) {
      document.body.innerHTML = place;
      await vi.advanceTimersByTimeAsync(6000);
      expect(document.body.textContent).toContain('Finished');
    }
    close();
    expect(document.body.textContent).toBe('still');
    document.body.innerHTML = place;
    await vi.advanceTimersByTimeAsync(1);
    expect(document.body.textContent).toBe('still');
  });

  it('waits for its views otherwise', async () => {
    const close = initialize(false);
    document.body.innerHTML = place;
    await vi.advanceTimersByTimeAsync(1);
    expect(document.body.textContent).toBe('still');
    close();
  });
});

describe('the rows of a search', () => {
  type Row = Record<string, unknown>;
  const { trials } = searches.running;
  const card = cardOf(searches.running) as { sections: Row[] };
  const head = { ...card, sections: card.sections.map(({ rows: _, ...section }) => section) };
  const rowsOf = (snapshot: unknown): Row[] => (snapshot as typeof card).sections.find(({ key }) => key)!.rows as Row[];
  const facts = ({ curve: _, ...rest }: Row): Row => rest;

  /** A model as the kernel made it, with as many views as wanted; each gets a face of its own, as in anywidget. */
  function model(views: number) {
    const state: Row = { snapshot: head, rows: { search: { seq: 4, rows: Object.fromEntries(trials.map(row => [row.id, row])) } } };
    const heard: [string, (content: unknown) => void][] = [];
    const send = vi.fn();
    const face = () => ({ get: (name: string) => state[name], on: (event: string, callback: () => void) => void heard.push([event, callback]), off: vi.fn(), send });
    widget.initialize({ model: face() as never });
    const els = Array.from({ length: views }, () => document.createElement('div'));
    for (const el of els) widget.render({ model: face() as never, el });
    const fire = (event: string, content?: unknown): void => heard.filter(([name]) => name === event).forEach(([, callback]) => callback(content));
    return { els, send, fire, state, tell: (content: unknown) => fire('msg:custom', typeof content === 'object' && content ? { table: 'search', ...content } : content), whole: () => transportOf(face() as never).snapshot(), trialsNow: () => rowsOf(transportOf(face() as never).snapshot()) };
  }

  it('are one snapshot with the head', () => {
    const { whole, els } = model(1);
    expect(whole()).toEqual(card);
    expect(whole()).toBe(whole());
    expect(els[0]!.textContent).toContain('13 trials');
  });

  it('take what changed, in every view of the model, and once', () => {
    const { trialsNow, els, tell, send } = model(2);
    tell({ rows: [{ ...facts(trials[6]!), node: 'elsewhere', more: [[12, 0.11]] }], seq: 5 });
    for (const el of els) expect(el.textContent).toContain('elsewhere');
    expect(trialsNow()[6]!.curve).toEqual([...trials[6]!.curve, [12, 0.11]]);
    expect(trialsNow()[7]).toBe(trials[7]);
    expect(send).not.toHaveBeenCalled();
  });

  it('take a new trial and a curve that was thinned', () => {
    const { trialsNow, tell } = model(1);
    tell({ rows: [{ ...facts(trials[6]!), curve: [[1, 0.5]] }, { ...trials[0], id: 'new', number: 13 }], seq: 5 });
    expect(trialsNow()[6]!.curve).toEqual([[1, 0.5]]);
    expect(trialsNow().map(row => row.id).at(-1)).toBe('new');
  });

  it('are asked for whole when a message was lost, and taken so', () => {
    const { trialsNow, tell, send } = model(1);
    tell({ rows: [{ ...facts(trials[6]!), node: 'here', more: [] }], seq: 7 });
    expect(send).toHaveBeenCalledExactlyOnceWith({ action: 'refresh', run: '*' });
    expect(trialsNow()[6]!.node).toBe('here');
    tell({ rows: trials.slice(0, 2), seq: 8, whole: true });
    expect(trialsNow()).toEqual(trials.slice(0, 2));
    tell({ rows: [], seq: 9 });
    expect(send).toHaveBeenCalledOnce();
  });

  it('let pass what they have already', () => {
    const { whole, tell, send } = model(1);
    tell({ rows: [{ ...facts(trials[6]!), more: [[12, 0.11]] }], seq: 4 });
    expect(whole()).toEqual(card);
    expect(send).not.toHaveBeenCalled();
  });

  it('begin anew with a new state', () => {
    const { trialsNow, els, state, fire } = model(1);
    state.rows = { search: { seq: 0, rows: {} } };
    fire('change:rows');
    expect(trialsNow()).toEqual([]);
    expect(els[0]!.querySelector('tbody tr')).toBe(null);
  });

  it.each([[null], [7], [{}], [{ rows: 3, seq: 5 }], [{ rows: [null, 7, {}], seq: 'x' }], [{ rows: [null, 7, {}], seq: 5 }]])('let pass what is no message: %j', content => {
    const { whole, tell } = model(1);
    tell(content);
    expect(whole()).toEqual(card);
  });

  it('are no part of a card that has none', () => {
    const plain = runCard(runs.running);
    const face = { get: (name: string) => (name === 'rows' ? {} : plain) };
    expect(transportOf(face as never).snapshot()).toBe(plain);
  });
});
