/** The rows of a large table, which the kernel sends whole once and then as they change (ray_magics/views/rows.py). */
import { asFields, asId, asList, asNumber, type Fields } from './json-readers';

export class KeyedRows {
  private byId = new Map<string, Fields>();
  private sequence: number;
  private rows: Fields[] | null = null;

  /** `state` is what a page begins with: `{seq: 4, rows: {id: row}}`. */
  constructor(state: unknown) {
    const { seq, rows } = asFields(state);
    this.sequence = asNumber(seq);
    for (const row of Object.values(asFields(rows))) this.put(asFields(row));
  }

  /**
   * Takes a message `{rows, seq, whole?}`; any other is ignored. Returns false when a message before this one was
   * lost, so that the rows have to be asked for whole; this one is applied all the same.
   */
  receive(message: unknown): boolean {
    const { seq, rows, whole } = asFields(message);
    if (!Array.isArray(rows)) return true;
    const sequence = asNumber(seq);
    const isWhole = whole === true;
    if (!isWhole && sequence <= this.sequence) return true;
    const isNext = isWhole || sequence === this.sequence + 1;
    if (isWhole) this.byId.clear();
    for (const row of rows) this.put(asFields(row));
    this.sequence = sequence;
    this.rows = null;
    return isNext;
  }

  /** The rows in their order; the same list as long as none has changed. */
  list(): Fields[] {
    return (this.rows ??= [...this.byId.values()]);
  }

  /** A change has "more" points at the end of the row's curve, or the whole curve. */
  private put(change: Fields): void {
    const { more, ...row } = change;
    const id = asId(change.id);
    if (!id) return;
    this.byId.set(id, more === undefined ? change : { ...row, curve: [...asList(this.byId.get(id)?.curve), ...asList(more)] });
  }
}

/** The large tables of a card, by their keys. */
export class KeyedTables {
  private tables: Map<string, KeyedRows>;
  private merged: { card: unknown; rows: Fields[][]; snapshot: unknown } | null = null;

  /** `state` is what a page begins with: `{trials: {seq: 4, rows: {id: row}}}`. */
  constructor(state: unknown) {
    this.tables = new Map(Object.entries(asFields(state)).map(([key, table]) => [key, new KeyedRows(table)]));
  }

  /** Takes a message `{table, rows, seq, whole?}`, as KeyedRows does; any other is ignored. */
  receive(message: unknown): boolean {
    return this.tables.get(asId(asFields(message).table))?.receive(message) ?? true;
  }

  /** The card with the rows of its sections. The same object as long as neither has changed. */
  mergeWith(card: unknown): unknown {
    const rows = [...this.tables.values()].map(table => table.list());
    const isSame = this.merged?.card === card && rows.every((list, index) => list === this.merged?.rows[index]);
    if (!this.merged || !isSame) this.merged = { card, rows, snapshot: this.withRows(card) };
    return this.merged.snapshot;
  }

  private withRows(card: unknown): unknown {
    const sections = asList(asFields(card).sections).map(section => {
      const table = this.tables.get(asId(asFields(section).key));
      return table ? { ...asFields(section), rows: table.list() } : section;
    });
    return { ...asFields(card), sections };
  }
}

/** Asks the kernel for all rows, after a message was lost. */
export const REFRESH = { action: 'refresh', run: '*' };
