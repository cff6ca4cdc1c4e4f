/** A Transport made of the model that anywidget hands to a view. */
import { asFields } from './core/json-readers';
import { KeyedTables, REFRESH } from './core/keyed-rows';
import { commandSender, type KernelConnection, type Transport } from './core/transport';

/** The part of anywidget's model that is used here; see LiveView in ray_magics/views/widget.py for its traits. */
export interface Model {
  get(trait: 'snapshot' | 'rows' | 'place' | 'still'): unknown;
  on(event: string, callback: (content: unknown) => void): void;
  off(event: string, callback: (content: unknown) => void): void;
  send(message: unknown): void;
  widget_manager?: { kernel?: KernelConnection | null };
}

// By the trait's value: each view of a model is handed an object of its own for the model, but the same value.
const tablesByState = new WeakMap<object, KeyedTables>();

/** Applies the messages about rows, once for all views of a model; returns the function that ends this. */
export function receiveRows(model: Model): () => void {
  return listen(model, 'msg:custom', message => {
    if (tablesOf(model)?.receive(message) === false) model.send(REFRESH);
  });
}

export function transportOf(model: Model): Transport {
  let kernelGone = false;
  return {
    snapshot: () => snapshotOf(model),
    isKernelGone: () => kernelGone,
    onChange(callback) {
      const events = { 'change:snapshot': false, 'change:rows': false, 'msg:custom': false, comm_live_update: true };
      const ends = Object.entries(events).map(([event, isEnd]) =>
        listen(model, event, () => {
          kernelGone = isEnd;
          callback();
        }),
      );
      return () => ends.forEach(end => end());
    },
    send: commandSender(() => model.widget_manager?.kernel, command => model.send(command)),
  };
}

function snapshotOf(model: Model): unknown {
  const card = model.get('snapshot');
  return tablesOf(model)?.mergeWith(card) ?? card;
}

/** null for a card without large tables. */
function tablesOf(model: Model): KeyedTables | null {
  const state = asFields(model.get('rows'));
  if (Object.keys(state).length === 0) return null;
  const tables = tablesByState.get(state) ?? new KeyedTables(state);
  tablesByState.set(state, tables);
  return tables;
}

function listen(model: Model, event: string, callback: (content: unknown) => void): () => void {
  model.on(event, callback);
  return () => model.off(event, callback);
}
