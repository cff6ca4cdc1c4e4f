/** The rows of a search, which the kernel sends once and then only as they change (ray_magics/views/rows.py). */
import { fields, id, list, number, type Fields } from './status';

/** The model as far as rows go. */
export interface RowModel {
  get(name: 'snapshot' | 'rows'): unknown;
}

class Rows {
  private rows = new Map<string, Fields>();
  private seq: number;
  private trials: Fields[] | null = null;
  private merged: { head: unknown; trials: Fields[]; whole: unknown } | null = null;

  constructor(state: Fields) {
    this.seq = number(state.seq);
    for (const row of Object.values(fields(state.rows))) this.put(fields(row));
  }

  /** False when a message before this one was lost; what this one says is taken all the same. */
  take(message: Fields): boolean {
    const seq = number(message.seq);
    const whole = message.whole === true;
    if (!whole && seq <= this.seq) return true;
    const next = whole || seq === this.seq + 1;
    if (whole) this.rows.clear();
    for (const row of list(message.rows)) this.put(fields(row));
    this.seq = seq;
    this.trials = null;
    return next;
  }

  /** The same object as long as neither the head nor a row has changed. */
  merge(head: unknown): unknown {
    const trials = (this.trials ??= [...this.rows.values()]);
    if (this.merged === null || this.merged.head !== head || this.merged.trials !== trials) {
      this.merged = { head, trials, whole: { ...fields(head), trials } };
    }
    return this.merged.whole;
  }

  private put(change: Fields): void {
    const name = id(change.id);
    const { more, ...row } = change;
    if (!name) return;
    this.rows.set(name, more === undefined ? change : { ...row, curve: [...list(this.rows.get(name)?.curve), ...list(more)] });
  }
}

// By the state that a model began with: its views are handed different faces of the model, but the same state.
const known = new WeakMap<object, Rows>();

export function wholeOf(model: RowModel): unknown {
  const head = model.get('snapshot');
  return rowsOf(model)?.merge(head) ?? head;
}

/** Takes a message of the kernel if it is about rows; false when one before it was lost. */
export function takeRows(model: RowModel, message: unknown): boolean {
  const content = fields(message);
  return !Array.isArray(content.rows) || (rowsOf(model)?.take(content) ?? true);
}

function rowsOf(model: RowModel): Rows | null {
  const state = fields(model.get('rows'));
  if (typeof state.rows !== 'object') return null;
  const rows = known.get(state) ?? new Rows(state);
  known.set(state, rows);
  return rows;
}
