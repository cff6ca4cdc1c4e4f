/** The filter: words that a trial must contain, and comparisons such as "lr>0.01" or "opt=adam", all of which must hold. */
import { lookUp } from '../core/json-readers';
import type { Column } from './columns';
import { stateText, valueText, type Trial } from './status';

export type Test = (trial: Trial) => boolean;

export interface Filter {
  tests: Test[];
  /** What was not understood, as sentences. */
  problems: string[];
}

const OPERATORS = '>=|<=|!=|==|=|>|<';
const SPACED_OPERATOR = new RegExp(`\\s*(${OPERATORS})\\s*`, 'g');
const COMPARISON = new RegExp(`^(.*?)(${OPERATORS})(.*)$`);

const COMPARE_NUMBERS: Record<string, (one: number, other: number) => boolean> = {
  '>': (one, other) => one > other,
  '<': (one, other) => one < other,
  '>=': (one, other) => one >= other,
  '<=': (one, other) => one <= other,
};

export function parseFilter(text: string, columns: Column[]): Filter {
  const terms = text.trim().replace(SPACED_OPERATOR, '$1').split(/\s+/).filter(Boolean);
  const parsed = terms.map(term => parseTerm(term, columns));
  return {
    tests: parsed.filter(one => typeof one !== 'string'),
    problems: parsed.filter(one => typeof one === 'string'),
  };
}

/** A test, or what is wrong with the term. */
function parseTerm(term: string, columns: Column[]): Test | string {
  const [, name = '', operator = '', wanted = ''] = COMPARISON.exec(term) ?? [];
  if (!operator) return containsWord(term.toLowerCase());
  const column = findColumn(name.toLowerCase(), columns);
  if (!column) return `There is no column "${name}".`;
  const compare = lookUp(COMPARE_NUMBERS, operator);
  if (!wanted || (compare && Number.isNaN(Number(wanted)))) return `"${name}${operator}" needs a ${compare ? 'number' : 'value'} after it.`;
  if (compare) return trial => typeof column.value(trial) === 'number' && compare(column.value(trial) as number, Number(wanted));
  const isEqual = equals(column, wanted.toLowerCase());
  return operator === '!=' ? trial => !isEqual(trial) : isEqual;
}

function containsWord(word: string): Test {
  return trial => searchableText(trial).includes(word);
}

function equals(column: Column, wanted: string): Test {
  if (column.key === 'state') return trial => [stateText(trial), trial.state].some(word => word.toLowerCase() === wanted);
  const number = Number(wanted);
  return trial => {
    const value = column.value(trial);
    return value === number || valueText(value).toLowerCase() === wanted;
  };
}

/** By its whole name, or by the end of a dotted one if only one ends so. */
function findColumn(name: string, columns: Column[]): Column | undefined {
  const exact = columns.find(column => [column.title, ...column.aliases].some(one => one.toLowerCase() === name));
  const ends = columns.filter(column => column.title.toLowerCase().endsWith(`.${name}`));
  return exact ?? (ends.length === 1 ? ends[0] : undefined);
}

const texts = new WeakMap<Trial, string>();

function searchableText(trial: Trial): string {
  const text = texts.get(trial) ?? [`trial ${trial.number}`, stateText(trial), trial.state, trial.node, ...trial.params.map(valueText)].join(' ').toLowerCase();
  texts.set(trial, text);
  return text;
}
