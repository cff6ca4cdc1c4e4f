/** What every component of a search is drawn from. */
import type { Column, SortOrder } from './columns';
import type { Search, Trial } from './status';

export interface SearchView {
  search: Search;
  columns: Column[];
  order: SortOrder;
  /** The trials that pass the filter, by number. */
  filtered: Trial[];
  /** Those of them that pass the brushes too, in the order of the table. */
  visible: Trial[];
  selected: Trial | null;
  best: Trial | null;
}

/** Selects the trial of this id. */
export type Select = (id: string) => void;

const MAX_DRAWN = 500;

/** Few enough trials to draw: those of `always`, and an even choice of the others. */
export function sample(trials: Trial[], always: (Trial | null)[], limit = MAX_DRAWN): Trial[] {
  if (trials.length <= limit) return trials;
  const step = trials.length / limit;
  const chosen = new Set(Array.from({ length: limit }, (_, index) => trials[Math.floor(index * step)]!));
  for (const trial of always) if (trial && trials.includes(trial)) chosen.add(trial);
  return [...chosen];
}
