/** Above the trials: the filter, the states, how many are shown, and a way out of the brushes. */
import { h, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { count, plural } from './format';
import type { Scene } from './scene';
import type { Column } from './trial-columns';
import { parse, type Filter } from './trial-filter';
import { stateWord, type Trial } from './tune-status';

export interface Toolbar extends Part<Scene & { brushed: boolean }> {
  /** What the reader asks for; with a key that is the same for the same question. */
  read(columns: Column[]): Filter & { key: string };
}

const PATIENCE = 150;
const ALL = '';

let bars = 0;

export function toolbar(changed: () => void, clear: () => void): Toolbar {
  bars += 1;
  const field = h('input', 'field');
  const states = h('select', 'field');
  const amount = h('span', 'muted');
  const unbrush = h('button', 'small', 'Clear brushes');
  const odd = h('div', 'why');
  const node = h('div', 'section', h('div', 'tools', field, states, amount, unbrush), odd);
  const options = choices(states);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: { text: string; state: string; columns: Column[]; filter: Filter & { key: string } } | null = null;
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, PATIENCE);
  };
  field.type = 'search';
  field.placeholder = 'Filter: adam lr>0.01 state=failed';
  unbrush.type = 'button';
  odd.id = `ray-magics-odd-${bars}`;
  setAttrs(field, { 'aria-label': 'Filter trials: words, and comparisons such as lr>0.01', 'aria-describedby': odd.id, spellcheck: 'false' });
  setAttr(states, 'aria-label', 'State of the trials');
  setAttr(odd, 'role', 'status');
  setAttr(amount, 'role', 'status');
  for (const one of [field, states, unbrush]) {
    setAttr(one, 'data-lm-suppress-shortcuts', 'true');
    one.addEventListener('keydown', event => event.stopPropagation());
  }
  field.addEventListener('input', soon);
  states.addEventListener('change', changed);
  unbrush.addEventListener('click', () => {
    clear();
    field.focus();
  });
  return {
    node,
    read(columns) {
      const [text, state] = [field.value, states.value];
      if (last?.text !== text || last.state !== state || last.columns !== columns) {
        const { tests, odd } = parse(text, columns);
        const all = state === ALL ? tests : [...tests, (trial: Trial) => stateWord(trial) === state];
        last = { text, state, columns, filter: { tests: all, odd, key: JSON.stringify([text, state, columns.map(({ title }) => title)]) } };
      }
      return last.filter;
    },
    paint({ tune, shown, brushed }) {
      const [some, all] = [shown.length, tune.trials.length];
      options(tune.trials);
      setText(amount, some === all ? `${count(all)} ${plural('trial', all)}` : `${count(some)} of ${count(all)} trials`);
      setLine(odd, last?.filter.odd.join(' ') ?? '');
      show(unbrush, brushed);
    },
    dispose: () => clearTimeout(timer),
  };
}

/** The states that there are, with their numbers. The chosen one stays, even when no trial is in it any more. */
function choices(select: HTMLSelectElement): (trials: Trial[]) => void {
  let before = '';
  let known: Trial[] | null = null;
  return trials => {
    if (trials === known) return;
    known = trials;
    const counts = new Map<string, number>();
    for (const trial of trials) {
      const state = stateWord(trial);
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    if (select.value && !counts.has(select.value)) counts.set(select.value, 0);
    const words = [...counts].map(([state, number]) => [state, `${state} (${count(number)})`] as const);
    const now = JSON.stringify(words);
    if (now === before) return;
    const chosen = select.value;
    select.replaceChildren(...[[ALL, 'All states'] as const, ...words].map(option));
    select.value = chosen;
    before = now;
  };
}

function option([value, text]: readonly [string, string]): HTMLElement {
  const node = h('option', '', text);
  node.value = value;
  return node;
}
