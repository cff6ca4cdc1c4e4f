/** The selected trial: everything it was given and has reported, why it failed, and what can be done about it. */
import type { Component } from '../core/component';
import { button, h, setAttr, setAttrs, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';
import { number, plain } from '../core/format';
import { stateIcon } from '../core/state-icon';
import { joinText } from '../core/text';
import type { TrialActions } from './actions';
import { parameterList } from './parameter-list';
import type { SearchView } from './search-view';
import { iconOf, stateText, timeText, valueText, type Search, type Trial } from './status';

export function trialDetails(actions: TrialActions, close: () => void): Component<SearchView> {
  const icon = stateIcon();
  const state = h('span', 'state');
  const origin = h('div', 'muted');
  const parameters = parameterList();
  const metrics = h('div');
  const error = h('pre', 'error lines');
  const buttons = actions.buttons();
  const head = h('div', 'head', icon.node, state, h('span', 'right', ...buttons.map(one => one.node), button('small', close, 'Close')));
  const node = h('section', 'pane', head, metrics, parameters.node, origin, error);
  suppressShortcuts(node, error);
  setAttr(node, 'tabindex', '-1');
  setAttrs(error, { tabindex: '0', 'aria-label': 'Error' });
  node.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    close();
  });
  return {
    node,
    update({ search, selected: trial }) {
      const buttonFocused = node.contains(document.activeElement) && document.activeElement?.tagName === 'BUTTON';
      setVisible(node, trial !== null);
      if (!trial) return;
      icon.update(iconOf(trial));
      setText(state, `Trial ${trial.number} · ${stateText(trial)}`);
      setAttr(node, 'aria-label', `Trial ${trial.number}`);
      setText(metrics, metricsText(search, trial));
      parameters.update({ search, trial });
      setText(origin, originText(trial));
      setTextOrHide(error, trial.error);
      for (const one of buttons) one.update(trial);
      if (buttonFocused && (document.activeElement as HTMLElement | null)?.hidden) node.focus({ preventScroll: true });
    },
  };
}

/** "loss 0.0899 · accuracy 0.97 · iteration 20" */
function metricsText({ metrics }: Search, trial: Trial): string {
  const values = metrics.map((name, index) => `${name} ${valueText(trial.metrics[index])}`);
  return values.join(' · ') + (trial.iterations ? ` · iteration ${number(trial.iterations)}` : '');
}

/** "34.5 s · 10.0.0.1 · has a checkpoint · a1b2_00003" */
function originText(trial: Trial): string {
  const time = trial.seconds ? timeText(trial) : '';
  return joinText([time, trial.node, trial.checkpoint ? 'has a checkpoint' : 'has no checkpoint', plain(trial.id, 100)]);
}
