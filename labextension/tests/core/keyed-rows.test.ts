import { describe, expect, it } from 'vitest';
import { KeyedRows, KeyedTables } from '../../src/core/keyed-rows';

const card = { kind: 'card', sections: [{ type: 'text', text: 'above' }, { type: 'special', name: 'search', key: 'search' }] };
const first = { id: 'a', node: 'one', curve: [[1, 0.5]] };
const second = { id: 'b', node: 'two', curve: [] };
const start = (): KeyedRows => new KeyedRows({ seq: 4, rows: { a: first, b: second } });
const rowsOf = (rows: KeyedRows): unknown[] => rows.list();

describe('keyed rows', () => {
  it('are the same list while nothing changes', () => {
    const rows = start();
    const list = rows.list();
    expect(list).toEqual([first, second]);
    expect(rows.list()).toBe(list);
    rows.receive({ seq: 5, rows: [{ id: 'c' }] });
    expect(rows.list()).not.toBe(list);
  });

  it('take a changed row in its place and a new one at the end, and leave the others as they are', () => {
    const rows = start();
    expect(rows.receive({ seq: 5, rows: [{ ...first, node: 'three' }, { id: 'c' }] })).toBe(true);
    expect(rowsOf(rows)).toEqual([{ ...first, node: 'three' }, second, { id: 'c' }]);
    expect(rowsOf(rows)[1]).toBe(second);
  });

  it('append points to a curve, or take it whole', () => {
    const rows = start();
    rows.receive({ seq: 5, rows: [{ id: 'a', more: [[2, 0.4]] }, { id: 'b', curve: [[9, 1]] }] });
    expect(rowsOf(rows)).toEqual([{ id: 'a', curve: [[1, 0.5], [2, 0.4]] }, { id: 'b', curve: [[9, 1]] }]);
  });

  it('say when a message was lost, and are in order again after a whole one', () => {
    const rows = start();
    expect(rows.receive({ seq: 6, rows: [{ id: 'c' }] })).toBe(false);
    expect(rowsOf(rows).length).toBe(3);
    expect(rows.receive({ seq: 9, rows: [second], whole: true })).toBe(true);
    expect(rowsOf(rows)).toEqual([second]);
    expect(rows.receive({ seq: 10, rows: [] })).toBe(true);
  });

  it('ignore what they have already', () => {
    const rows = start();
    expect(rows.receive({ seq: 4, rows: [{ id: 'a', more: [[2, 0.4]] }] })).toBe(true);
    expect(rowsOf(rows)).toEqual([first, second]);
  });

  it.each([[null], [7], [{}], [{ seq: 5, rows: 3 }], [{ seq: 5, rows: [null, 7, {}] }]])('ignore what is no row: %j', message => {
    const rows = start();
    expect(rows.receive(message)).toBe(true);
    expect(rowsOf(rows)).toEqual([first, second]);
  });

  it.each([[null], [7], [{}], [{ rows: null }]])('are none where the state is odd: %j', state => {
    expect(rowsOf(new KeyedRows(state))).toEqual([]);
  });
});

describe('the large tables of a card', () => {
  const tables = (): KeyedTables => new KeyedTables({ search: { seq: 4, rows: { a: first } }, other: { seq: 0, rows: {} } });

  it('are put into their sections; the card is the same object while nothing changes', () => {
    const all = tables();
    const merged = all.mergeWith(card);
    expect(merged).toEqual({ ...card, sections: [card.sections[0], { ...card.sections[1], rows: [first] }] });
    expect(all.mergeWith(card)).toBe(merged);
    expect(all.mergeWith({ ...card })).not.toBe(merged);
  });

  it('take what is for them, each by its own count', () => {
    const all = tables();
    expect(all.receive({ table: 'search', seq: 5, rows: [second] })).toBe(true);
    expect(all.receive({ table: 'other', seq: 1, rows: [second] })).toBe(true);
    expect(all.receive({ table: 'other', seq: 3, rows: [] })).toBe(false);
    expect(all.receive({ table: 'nobody', seq: 9, rows: [] })).toBe(true);
    expect((all.mergeWith(card) as { sections: { rows?: unknown[] }[] }).sections[1]!.rows).toEqual([first, second]);
  });

  it.each([[null], [7], [{}], [{ sections: 3 }], [{ sections: [null, 7, { key: 4 }] }]])('leave an odd card as it is: %j', odd => {
    expect(() => tables().mergeWith(odd)).not.toThrow();
  });
});
