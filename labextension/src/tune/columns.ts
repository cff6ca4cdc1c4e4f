/** The columns of the table of trials, and trials in the order of one of them. */
import { count } from '../core/format';
import { NO_VALUE } from '../core/text';
import { stateText, timeText, valueText, type Search, type Trial, type Value } from './status';

export interface Column {
  key: string;
  title: string;
  /** What it may be called in the filter, besides its title. */
  aliases: string[];
  value(trial: Trial): Value;
  text(trial: Trial): string;
}

export interface SortOrder {
  key: string;
  descending: boolean;
}

export function columnsOf(search: Search): Column[] {
  return [
    { key: 'number', title: 'Trial', aliases: ['number'], value: trial => trial.number, text: trial => String(trial.number) },
    { key: 'state', title: 'State', aliases: [], value: stateText, text: stateText },
    ...search.params.map((title, index) => valueColumn(`param ${index}`, title, trial => trial.params[index] ?? null)),
    ...search.metrics.map((title, index) => valueColumn(`metric ${index}`, title, trial => trial.metrics[index] ?? null)),
    { key: 'iterations', title: 'Iterations', aliases: ['training_iteration'], value: trial => trial.iterations || null, text: iterationsText },
    { key: 'seconds', title: 'Time', aliases: ['seconds', 'time_total_s'], value: trial => trial.seconds || null, text: timeText },
    { key: 'node', title: 'Node', aliases: [], value: trial => trial.node || null, text: trial => trial.node || NO_VALUE },
  ];
}

/** By a column, what is absent or no number last in both directions. Trials come by number as a rule. */
export function sortTrials(trials: Trial[], column: Column | undefined, descending: boolean): Trial[] {
  if (column === undefined) return trials;
  if (column.key === 'number' && !descending) return isByNumber(trials) ? trials : [...trials].sort((one, other) => one.number - other.number);
  const sign = descending ? -1 : 1;
  const entries = trials.map((trial, place) => {
    const value = column.value(trial);
    return { trial, place, value, rank: typeRank(value) };
  });
  entries.sort((one, other) => one.rank - other.rank || (one.rank < 2 ? sign * compare(one.value, other.value) : 0) || one.place - other.place);
  return entries.map(({ trial }) => trial);
}

function valueColumn(key: string, title: string, value: (trial: Trial) => Value): Column {
  return { key, title, aliases: [], value, text: trial => valueText(value(trial)) };
}

function iterationsText(trial: Trial): string {
  return trial.iterations ? count(trial.iterations) : NO_VALUE;
}

function isByNumber(trials: Trial[]): boolean {
  return trials.every((trial, index) => index === 0 || trials[index - 1]!.number <= trial.number);
}

/** Numbers come before text. */
function typeRank(value: Value): number {
  if (value === null || Number.isNaN(value)) return 2;
  return typeof value === 'number' ? 0 : 1;
}

// One collator: String.localeCompare makes a new one for each comparison.
const collator = new Intl.Collator('en', { numeric: true });

export const compareText = collator.compare;

function compare(one: Value, other: Value): number {
  if (typeof one === 'number' && typeof other === 'number') return one < other ? -1 : one > other ? 1 : 0;
  return compareText(String(one), String(other));
}
