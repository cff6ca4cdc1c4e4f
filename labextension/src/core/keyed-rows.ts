/** The rows of a large table, which the kernel sends whole once and then as they change (ray_magics/views/rows.py). */
import { asFields, asId, asList, asNumber, type Fields } from './json-readers';

export class KeyedRows {
  private byId = new Map<string, Fields>();
  private sequence: number;
  private rows: Fields[] | null = null;
  private merged: { head: unknown; rows: Fields[]; snapshot: unknown } | null = null;

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

  /** The snapshot: `head` and the rows. The same object as long as neither has changed. */
  mergeWith(head: unknown): unknown {
    const rows = (this.rows ??= [...this.byId.values()]);
    if (this.merged?.head === head && this.merged?.rows === rows) return this.merged.snapshot;
    this.merged = { head, rows, snapshot: { ...asFields(head), trials: rows } };
    return this.merged.snapshot;
  }

  /** A change has "more" points at the end of the row's curve, or the whole curve. */
  private put(change: Fields): void {
    const { more, ...row } = change;
    const id = asId(change.id);
    if (!id) return;
    this.byId.set(id, more === undefined ? change : { ...row, curve: [...asList(this.byId.get(id)?.curve), ...asList(more)] });
  }
}

/** The message that asks the kernel for all rows of a snapshot. */
export function refreshRequest(snapshot: unknown): { action: 'refresh'; run: string } {
  return { action: 'refresh', run: asId(asFields(snapshot).id) };
}
