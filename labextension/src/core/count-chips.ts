/** Ray's states with their numbers as chips: "3 running", "2 pending node assignment". */
import { keyedList, type Component } from './component';
import { h, setText, setVisible } from './dom';
import { count } from './format';

type StateCount = [state: string, count: number];

export function countChips(title: string, emptyText: string): Component<StateCount[]> {
  const list = h('span', 'chips');
  const empty = h('span', 'muted', emptyText);
  const node = h('div', 'row', h('span', 'title', title), list, empty);
  const chips = keyedList<StateCount>(list, ([state]) => state, chip);
  return {
    node,
    update(counts) {
      const present = counts.filter(([, number]) => number > 0);
      chips.update(present);
      setVisible(list, present.length > 0);
      setVisible(empty, present.length === 0);
    },
  };
}

function chip(): Component<StateCount> {
  const number = h('b', 'number');
  const state = h('span');
  return {
    node: h('span', 'chip', number, ' ', state),
    update([name, value]) {
      setText(number, count(value));
      setText(state, name.toLowerCase().replaceAll('_', ' '));
    },
  };
}
