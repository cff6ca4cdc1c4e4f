/** The columns of the trials, and trials in the order of one of them. */
import { count } from '../core/format';
import { stateWord, timeText, valueText, type Trial, type Tune, type Value } from './status';

export interface Column {
  key: string;
  title: string;
  /** What it may be called in the filter, besides its title. */
  names: string[];
  value(trial: Trial): Value;
  text(trial: Trial): string;
}

export interface Order {
  key: string;
  down: boolean;
}

export function columnsOf(tune: Tune): Column[] {
  return [
    { key: 'number', title: 'Trial', names: ['number'], value: trial => trial.number, text: trial => String(trial.number) },
    { key: 'state', title: 'State', names: [], value: stateWord, text: stateWord },
    ...tune.params.map((title, index) => field(`param ${index}`, title, trial => trial.params[index] ?? null)),
    ...tune.metrics.map((title, index) => field(`metric ${index}`, title, trial => trial.metrics[index] ?? null)),
    { key: 'iterations', title: 'Iterations', names: ['training_iteration'], value: reported(trial => trial.iterations), text: iterations },
    { key: 'seconds', title: 'Time', names: ['seconds', 'time_total_s'], value: reported(trial => trial.seconds), text: timeText },
    { key: 'node', title: 'Node', names: [], value: trial => trial.node || null, text: trial => trial.node || '–' },
  ];
}

/** By trial as they come; else by a column, what is absent or no number last in both directions. */
export function sorted(trials: Trial[], column: Column | undefined, down: boolean): Trial[] {
  if (column === undefined) return trials;
  if (column.key === 'number' && !down) return inOrder(trials) ? trials : [...trials].sort((one, other) => one.number - other.number);
  const sign = down ? -1 : 1;
  const keyed = trials.map((trial, place) => {
    const value = column.value(trial);
    return { trial, place, value, rank: rankOf(value) };
  });
  keyed.sort((one, other) => one.rank - other.rank || (one.rank < 2 ? sign * compare(one.value, other.value) : 0) || one.place - other.place);
  return keyed.map(({ trial }) => trial);
}

function field(key: string, title: string, value: (trial: Trial) => Value): Column {
  return { key, title, names: [], value, text: trial => valueText(value(trial)) };
}

function reported(value: (trial: Trial) => number): (trial: Trial) => Value {
  return trial => value(trial) || null;
}

function iterations(trial: Trial): string {
  return trial.iterations ? count(trial.iterations) : '–';
}

function inOrder(trials: Trial[]): boolean {
  return trials.every((trial, index) => index === 0 || trials[index - 1]!.number <= trial.number);
}

function rankOf(value: Value): number {
  if (value === null || Number.isNaN(value)) return 2;
  return typeof value === 'number' ? 0 : 1;
}

// One collator: String.localeCompare makes a new one for each comparison.
const words = new Intl.Collator('en', { numeric: true });

function compare(one: Value, other: Value): number {
  if (typeof one === 'number' && typeof other === 'number') return one < other ? -1 : one > other ? 1 : 0;
  return words.compare(String(one), String(other));
}
