/** The selected trial: everything it was given and has reported, why it failed, and what can be done about it. */
import { metricText, paramList } from './best';
import { h, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { plain } from './format';
import { icon } from './icon';
import type { Scene } from './scene';
import type { Actions } from './trial-actions';
import { stateIcon, stateWord, timeText, type Trial } from './tune-status';

export function trialPane(actions: Actions, close: () => void): Part<Scene> {
  const sign = icon();
  const state = h('span', 'state');
  const facts = h('div', 'muted');
  const values = paramList();
  const metrics = h('div');
  const error = h('pre', 'error lines');
  const buttons = [actions.button('pause'), actions.button('resume'), actions.button('stop')];
  const closer = h('button', 'small', 'Close');
  const head = h('div', 'head', sign.node, state, h('span', 'right', ...buttons.map(one => one.node), closer));
  const node = h('section', 'pane', head, metrics, values.node, facts, error);
  closer.type = 'button';
  setAttr(closer, 'data-lm-suppress-shortcuts', 'true');
  closer.addEventListener('click', close);
  setAttrs(node, { tabindex: '-1', 'data-lm-suppress-shortcuts': 'true' });
  setAttrs(error, { tabindex: '0', 'data-lm-suppress-shortcuts': 'true', 'aria-label': 'Error' });
  node.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    close();
  });
  return {
    node,
    paint({ tune, selected: trial }) {
      const held = node.contains(document.activeElement) && document.activeElement?.tagName === 'BUTTON';
      show(node, trial !== null);
      if (!trial) return;
      sign.paint(stateIcon(trial));
      setText(state, `Trial ${trial.number} · ${stateWord(trial)}`);
      setAttr(node, 'aria-label', `Trial ${trial.number}`);
      setText(metrics, metricText(tune, trial));
      values.paint({ tune, trial });
      setText(facts, factText(trial));
      setLine(error, trial.error);
      for (const one of buttons) one.paint(trial);
      if (held && (document.activeElement as HTMLElement | null)?.hidden) node.focus({ preventScroll: true });
    },
  };
}

/** "34.5 s · 10.0.0.1 · has a checkpoint · a1b2_00003" */
function factText(trial: Trial): string {
  const time = trial.seconds ? timeText(trial) : '';
  return [time, trial.node, trial.checkpoint ? 'has a checkpoint' : 'has no checkpoint', plain(trial.id, 100)].filter(Boolean).join(' · ');
}
