/** The parameters of a trial: "lr 0.01  model.depth 3" */
import type { Component } from '../core/component';
import { h, setVisible } from '../core/dom';
import { valueText, type Search, type Trial } from './status';

export function parameterList(): Component<{ search: Search; trial: Trial }> {
  const node = h('dl', 'params');
  let before = '';
  return {
    node,
    update({ search, trial }) {
      const pairs = search.params.map((name, index) => [name, valueText(trial.params[index])] as const);
      const now = JSON.stringify(pairs);
      if (now !== before) node.replaceChildren(...pairs.map(([name, value]) => h('div', 'param', h('dt', 'muted', name), h('dd', 'value', value))));
      before = now;
      setVisible(node, pairs.length > 0);
    },
  };
}
