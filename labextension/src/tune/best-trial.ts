/** The best trial so far, and its parameters as Python. */
import type { Component } from '../core/component';
import { button, h, setAttr, setText, setVisible } from '../core/dom';
import { isLive } from '../core/status';
import { copyButton } from './copy-button';
import { parameterList } from './parameter-list';
import type { SearchView, Select } from './search-view';
import { valueText } from './status';

export function bestTrial(select: Select): Component<SearchView> {
  const title = h('span', 'title');
  const score = h('b', 'number');
  const link = button('textual', () => select(id));
  const copy = copyButton('Copy as Python', 'Parameters as Python');
  const parameters = parameterList();
  const head = h('div', 'best-head', title, score, link, h('span', 'right', copy.node));
  const node = h('div', 'section best', head, parameters.node, copy.fallback);
  let id = '';
  return {
    node,
    update({ search, best: trial }) {
      setVisible(node, trial !== null);
      if (!trial) return;
      id = trial.id;
      setText(title, isLive(search.run) ? '★ Best so far' : '★ Best');
      setText(score, search.metric ? `${search.metric} ${valueText(trial.metrics[0])}` : '');
      setText(link, `trial ${trial.number}`);
      setAttr(link, 'aria-label', `Show trial ${trial.number}`);
      parameters.update({ search, trial });
      copy.update(search.bestPython);
    },
    dispose: copy.dispose,
  };
}
