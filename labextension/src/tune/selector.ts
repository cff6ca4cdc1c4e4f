/** Filters and sorts the trials, but only when trials, filter, brushes or order have changed. */
import { columnsOf, sortTrials, type Column, type SortOrder } from './columns';
import type { Filter, Test } from './filter';
import type { SearchView } from './search-view';
import type { Search, Trial } from './status';

export interface TrialSelector {
  columns(search: Search): Column[];
  select(search: Search, filter: Filter & { key: string }, brushes: Test[], order: SortOrder): Pick<SearchView, 'columns' | 'filtered' | 'visible'>;
}

export function trialSelector(): TrialSelector {
  const columns = memoize((_key: string, search: Search) => columnsOf(search), 1);
  const filtered = memoize((trials: Trial[], _key: string, tests: Test[]) => passing(trials, tests), 2);
  const brushed = memoize((trials: Trial[], _version: number, tests: Test[]) => passing(trials, tests), 2);
  const sorted = memoize(
    (trials: Trial[], columns: Column[], key: string, descending: boolean) => sortTrials(trials, columns.find(column => column.key === key), descending),
    4,
  );
  let version = 0;
  let brushesBefore: Test[] = [];
  const columnsFor = (search: Search): Column[] => columns(JSON.stringify([search.params, search.metrics]), search);
  return {
    columns: columnsFor,
    select(search, filter, brushes, order) {
      if (brushes.length !== brushesBefore.length || brushes.some((test, index) => test !== brushesBefore[index])) version += 1;
      brushesBefore = brushes;
      const columns = columnsFor(search);
      const passed = filtered(search.trials, filter.key, filter.tests);
      return { columns, filtered: passed, visible: sorted(brushed(passed, version, brushes), columns, order.key, order.descending) };
    },
  };
}

function passing(trials: Trial[], tests: Test[]): Trial[] {
  return tests.length ? trials.filter(trial => tests.every(test => test(trial))) : trials;
}

/** Gives its last result again as long as the first `keys` arguments are the same. */
function memoize<A extends unknown[], T>(compute: (...args: A) => T, keys: number): (...args: A) => T {
  let last: { args: A; result: T } | null = null;
  return (...args) => {
    const known = last;
    if (known && known.args.slice(0, keys).every((value, index) => value === args[index])) return known.result;
    last = { args, result: compute(...args) };
    return last.result;
  };
}
