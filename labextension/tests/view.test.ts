import { describe, expect, it, vi } from 'vitest';
import cards from '../../tests/data/cards.json';
import runs from '../../tests/data/run.json';
import searches from '../../tests/data/tune.json';
import served from '../../tests/data/serve.json';
import tables from '../../tests/data/runs.json';
import { withCanvas } from './support/canvas';
import { cardOf } from './support/cards';
import { end, find, ODD, root, show, shown } from './support/page';

const running = runs.running;
const every = Object.entries(cards) as [string, { kind: string; sections: Record<string, unknown>[] }][];

describe('every card of tests/data, which Python has made', () => {
  it.each(every)('is drawn without script or markup of its own: %s', (_, card) => {
    withCanvas();
    show(card);
    expect(shown()).not.toBe('');
    expect(root.querySelectorAll('script, i, [onerror], [onload], img:not([src^="data:image/png;base64,"]):not([hidden])').length).toBe(0);
    for (const link of root.querySelectorAll('a[href]')) expect(link.getAttribute('href')).toMatch(/^https?:/);
    expect(root.innerHTML).not.toMatch(/[\u001b\u202e]/);
  });

  it('may follow any other', () => {
    withCanvas();
    const transport = show({});
    for (const [, card] of [...every, ...every.reverse()]) transport.set(card);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const transport = show(running);
    end();
    expect(root.children.length).toBe(0);
    expect(transport.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never throws, whatever the fields of its sections are', () => {
    withCanvas();
    const card = cards['every section'];
    const transport = show(card);
    card.sections.forEach((section, place) => {
      for (const key of Object.keys(section)) {
        for (const value of ODD) transport.set({ ...card, sections: card.sections.map((one, index) => (index === place ? { ...one, [key]: value } : one)) });
      }
    });
    for (const value of ODD) transport.set({ ...card, sections: [value] });
    expect(root.children.length).toBe(1);
  });

  it('is what the other tests make of a status', () => {
    const statuses = { run: runs, runs: tables, serve: served, tune: searches } as unknown as Record<string, Record<string, Record<string, unknown>>>;
    const isTold = ([name]: [string, unknown]): boolean => Object.hasOwn(statuses, name.split(' ')[0]!) && !name.endsWith('hostile');
    const shape = (card: unknown): unknown => (cardOf(card) as { sections: Record<string, unknown>[] }).sections.map(section => [section.type, section.name, section.tone, section.stop, Object.keys(section).sort()]);
    const known = every.filter(isTold);
    expect(known.length).toBeGreaterThan(20);
    for (const [name, card] of known) {
      const [kind, ...rest] = name.split(' ');
      expect([name, shape(statuses[kind!]![rest.join(' ')])]).toEqual([name, shape(card)]);
    }
  });
});

describe('the card of a new verb', () => {
  it('is drawn without a line of TypeScript for it', () => {
    show(cards['a new verb']);
    expect(shown()).toContain('Finished');
    for (const words of ['toy', 'Line', 'Length', 'abc', 'Counted', '3']) expect(shown()).toContain(words);
    expect(find('svg[role=img]').getAttribute('aria-label')).toBe('Length: 3');
  });
});

describe('a snapshot that is broken', () => {

  it.each(ODD)('is drawn as text: %j', snapshot => {
    show(snapshot);
    expect(shown()).not.toBe('');
  });

  it.each(['run', 'runs', 'card', '__proto__', 'constructor'])('never throws: %s', kind => {
    const transport = show({ kind });
    const whole = { ...tables['one of each'], ...runs['background with output'], kind };
    for (const key of Object.keys(whole)) {
      for (const value of ODD) if (key !== 'kind') transport.set({ ...whole, [key]: value });
    }
    expect(shown()).not.toBe('');
  });
});
