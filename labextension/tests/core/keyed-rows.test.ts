import { describe, expect, it } from 'vitest';
import { KeyedRows, refreshRequest } from '../../src/core/keyed-rows';

const head = { kind: 'tune', id: 7 };
const first = { id: 'a', node: 'one', curve: [[1, 0.5]] };
const second = { id: 'b', node: 'two', curve: [] };
const start = (): KeyedRows => new KeyedRows({ seq: 4, rows: { a: first, b: second } });
const rowsOf = (rows: KeyedRows): unknown[] => (rows.mergeWith(head) as { trials: unknown[] }).trials;

describe('keyed rows', () => {
  it('are part of the snapshot, which is the same object while nothing changes', () => {
    const rows = start();
    const snapshot = rows.mergeWith(head);
    expect(snapshot).toEqual({ ...head, trials: [first, second] });
    expect(rows.mergeWith(head)).toBe(snapshot);
    expect(rows.mergeWith({ ...head })).not.toBe(snapshot);
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

  it('are asked for whole by the id of the run', () => {
    expect(refreshRequest(head)).toEqual({ action: 'refresh', run: '7' });
    expect(refreshRequest(null)).toEqual({ action: 'refresh', run: '' });
  });
});
