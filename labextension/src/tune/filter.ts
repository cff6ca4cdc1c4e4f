/** The filter: words that a trial must contain, and comparisons such as "lr>0.01" or "opt=adam", all of which must hold. */
import type { Column } from './columns';
import { stateWord, valueText, type Trial } from './status';

export type Test = (trial: Trial) => boolean;

export interface Filter {
  tests: Test[];
  /** What was not understood, as sentences. */
  odd: string[];
}

const SIGNS = '>=|<=|!=|==|=|>|<';
const SPACED = new RegExp(`\\s*(${SIGNS})\\s*`, 'g');
const COMPARISON = new RegExp(`^(.*?)(${SIGNS})(.*)$`);

const NUMBERS: Record<string, (one: number, other: number) => boolean> = {
  '>': (one, other) => one > other,
  '<': (one, other) => one < other,
  '>=': (one, other) => one >= other,
  '<=': (one, other) => one <= other,
};

export function parse(text: string, columns: Column[]): Filter {
  const terms = text.trim().replace(SPACED, '$1').split(/\s+/).filter(Boolean);
  const read = terms.map(term => readTerm(term, columns));
  return {
    tests: read.filter(one => typeof one !== 'string'),
    odd: read.filter(one => typeof one === 'string'),
  };
}

function readTerm(term: string, columns: Column[]): Test | string {
  const [, name = '', sign = '', wanted = ''] = COMPARISON.exec(term) ?? [];
  if (!sign) return contains(term.toLowerCase());
  const column = find(name.toLowerCase(), columns);
  if (!column) return `There is no column "${name}".`;
  const number = NUMBERS[sign];
  if (!wanted || (number && Number.isNaN(Number(wanted)))) return `"${name}${sign}" needs a ${number ? 'number' : 'value'} after it.`;
  if (number) return trial => typeof column.value(trial) === 'number' && number(column.value(trial) as number, Number(wanted));
  const same = equals(column, wanted.toLowerCase());
  return sign === '!=' ? trial => !same(trial) : same;
}

function contains(word: string): Test {
  return trial => haystack(trial).includes(word);
}

function equals(column: Column, wanted: string): Test {
  if (column.key === 'state') return trial => [stateWord(trial), trial.state].some(word => word.toLowerCase() === wanted);
  const number = Number(wanted);
  return trial => {
    const value = column.value(trial);
    return value === number || valueText(value).toLowerCase() === wanted;
  };
}

/** By its whole name, or by the end of a dotted one if only one ends so. */
function find(name: string, columns: Column[]): Column | undefined {
  const exact = columns.find(column => [column.title, ...column.names].some(one => one.toLowerCase() === name));
  const ends = columns.filter(column => column.title.toLowerCase().endsWith(`.${name}`));
  return exact ?? (ends.length === 1 ? ends[0] : undefined);
}

const texts = new WeakMap<Trial, string>();

function haystack(trial: Trial): string {
  const found = texts.get(trial) ?? [`trial ${trial.number}`, stateWord(trial), trial.state, trial.node, ...trial.params.map(valueText)].join(' ').toLowerCase();
  texts.set(trial, found);
  return found;
}
