/** Above the trials: the filter, their states, how many are shown, and a button that clears the brushes. */
import type { Component } from '../core/component';
import { button, h, option, setAttr, setAttrs, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';
import { count, plural } from '../core/format';
import type { Column } from './columns';
import { parseFilter, type Filter } from './filter';
import type { SearchView } from './search-view';
import { stateText, type Trial } from './status';

export interface Toolbar extends Component<SearchView & { brushed: boolean }> {
  /** The filter that is set; its key is the same for the same question. */
  read(columns: Column[]): Filter & { key: string };
}

const TYPING_PAUSE = 150; // milliseconds
const ALL_STATES = '';

let toolbars = 0;

export function toolbar(changed: () => void, clearBrushes: () => void): Toolbar {
  toolbars += 1;
  const field = h('input', 'field');
  const states = h('select', 'field');
  const amount = h('span', 'muted');
  const clear = button('small', () => {
    clearBrushes();
    field.focus();
  }, 'Clear brushes');
  const problems = h('div', 'why');
  const node = h('div', 'section', h('div', 'tools', field, states, amount, clear), problems);
  const updateStates = stateOptions(states);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: { text: string; state: string; columns: Column[]; filter: Filter & { key: string } } | null = null;
  field.type = 'search';
  field.placeholder = 'Filter: adam lr>0.01 state=failed';
  problems.id = `ray-magics-odd-${toolbars}`;
  setAttrs(field, { 'aria-label': 'Filter trials: words, and comparisons such as lr>0.01', 'aria-describedby': problems.id, spellcheck: 'false' });
  setAttr(states, 'aria-label', 'State of the trials');
  setAttr(problems, 'role', 'status');
  setAttr(amount, 'role', 'status');
  suppressShortcuts(field, states);
  for (const control of [field, states, clear]) control.addEventListener('keydown', event => event.stopPropagation());
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(changed, TYPING_PAUSE);
  });
  states.addEventListener('change', changed);
  return {
    node,
    read(columns) {
      const [text, state] = [field.value, states.value];
      if (last?.text !== text || last.state !== state || last.columns !== columns) {
        const { tests, problems } = parseFilter(text, columns);
        if (state !== ALL_STATES) tests.push(trial => stateText(trial) === state);
        last = { text, state, columns, filter: { tests, problems, key: JSON.stringify([text, state, columns.map(({ title }) => title)]) } };
      }
      return last.filter;
    },
    update({ search, visible, brushed }) {
      const [shown, all] = [visible.length, search.trials.length];
      updateStates(search.trials);
      setText(amount, shown === all ? `${count(all)} ${plural('trial', all)}` : `${count(shown)} of ${count(all)} trials`);
      setTextOrHide(problems, last?.filter.problems.join(' ') ?? '');
      setVisible(clear, brushed);
    },
    dispose: () => clearTimeout(timer),
  };
}

/** The states that there are, with their numbers. The chosen one stays, even when no trial is in it any more. */
function stateOptions(select: HTMLSelectElement): (trials: Trial[]) => void {
  let before = '';
  let trialsBefore: Trial[] | null = null;
  return trials => {
    if (trials === trialsBefore) return;
    trialsBefore = trials;
    const counts = new Map<string, number>();
    for (const trial of trials) counts.set(stateText(trial), (counts.get(stateText(trial)) ?? 0) + 1);
    if (select.value && !counts.has(select.value)) counts.set(select.value, 0);
    const options = [...counts].map(([state, number]) => [state, `${state} (${count(number)})`] as const);
    const now = JSON.stringify(options);
    if (now === before) return;
    const chosen = select.value;
    select.replaceChildren(option(ALL_STATES, 'All states'), ...options.map(([state, text]) => option(state, text)));
    select.value = chosen;
    before = now;
  };
}
