/** What the parts of a search are painted with. */
import type { Column, Order } from './columns';
import type { Trial, Tune } from './status';

export interface Scene {
  tune: Tune;
  columns: Column[];
  order: Order;
  /** The trials that the filter lets pass, by number; and of these what the brushes let pass, in the order asked for. */
  matching: Trial[];
  shown: Trial[];
  selected: Trial | null;
  best: Trial | null;
}

const DRAWN = 500;

/** Few enough to draw: these, and an even choice of the others. */
export function sample(trials: Trial[], always: (Trial | null)[], limit = DRAWN): Trial[] {
  if (trials.length <= limit) return trials;
  const step = trials.length / limit;
  const some = new Set(Array.from({ length: limit }, (_, index) => trials[Math.floor(index * step)]!));
  for (const trial of always) if (trial && trials.includes(trial)) some.add(trial);
  return [...some];
}

export type Select = (id: string) => void;
