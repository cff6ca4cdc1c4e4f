/** The best trial so far, and its parameters as Python. */
import { h, setAttr, setLine, setText, show, type Part } from '../core/dom';
import { number } from '../core/format';
import type { Scene, Select } from './search-view';
import { isLive } from '../core/status';
import { valueText, type Trial, type Tune } from './status';

const SECONDS = 2;

export function best(select: Select): Part<Scene> {
  const title = h('span', 'title');
  const score = h('b', 'number');
  const link = h('button', 'textual');
  const copy = copyButton();
  const values = paramList();
  const node = h('div', 'section best', h('div', 'best-head', title, score, link, h('span', 'right', copy.node)), values.node, copy.rest);
  link.type = 'button';
  setAttr(link, 'data-lm-suppress-shortcuts', 'true');
  let id = '';
  link.addEventListener('click', () => select(id));
  return {
    node,
    paint({ tune, best: trial }) {
      show(node, trial !== null);
      if (!trial) return;
      id = trial.id;
      setText(title, isLive(tune.run) ? '★ Best so far' : '★ Best');
      setText(score, tune.metric ? `${tune.metric} ${valueText(trial.metrics[0])}` : '');
      setText(link, `trial ${trial.number}`);
      setAttr(link, 'aria-label', `Show trial ${trial.number}`);
      values.paint({ tune, trial });
      copy.paint(tune.bestPython);
    },
    dispose: copy.dispose,
  };
}

/** "lr 0.01  model.depth 3" */
export function paramList(): Part<{ tune: Tune; trial: Trial }> {
  const node = h('dl', 'params');
  let before = '';
  return {
    node,
    paint({ tune, trial }) {
      const pairs = tune.params.map((name, index) => [name, valueText(trial.params[index])] as const);
      const now = JSON.stringify(pairs);
      if (now !== before) node.replaceChildren(...pairs.map(pair));
      before = now;
      show(node, pairs.length > 0);
    },
  };
}

function pair([name, value]: readonly [string, string]): HTMLElement {
  return h('div', 'param', h('dt', 'muted', name), h('dd', 'value', value));
}

export function metricText(tune: Tune, trial: Trial): string {
  return tune.metrics.map((name, index) => `${name} ${valueText(trial.metrics[index])}`).join(' · ') + (trial.iterations ? ` · iteration ${number(trial.iterations)}` : '');
}

interface Copy extends Part<string> {
  /** The text itself, where the clipboard is refused. */
  rest: HTMLElement;
}

function copyButton(): Copy {
  const node = h('button', 'small', 'Copy as Python');
  const field = h('textarea', 'field code');
  const hint = h('div', 'muted');
  const rest = h('div', '', hint, field);
  const news = h('span', 'unseen');
  let code = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (words: string): void => {
    setText(node, words);
    setText(news, words);
    clearTimeout(timer);
    timer = setTimeout(() => setText(node, 'Copy as Python'), SECONDS * 1000);
  };
  const refused = (): void => {
    field.value = code;
    field.rows = Math.min(8, Math.ceil(code.length / 60) + 1);
    show(rest, true);
    field.focus();
    field.select();
    setLine(hint, 'The browser keeps its clipboard closed to this page. Copy the selected text with Ctrl+C or ⌘C.');
    say('Copy it here:');
  };
  node.type = 'button';
  field.readOnly = true;
  setAttr(news, 'role', 'status');
  for (const one of [node, field]) setAttr(one, 'data-lm-suppress-shortcuts', 'true');
  setAttr(field, 'aria-label', 'Parameters as Python');
  field.addEventListener('keydown', event => event.stopPropagation());
  node.addEventListener('click', () => {
    try {
      navigator.clipboard.writeText(code).then(() => say('Copied'), refused);
    } catch {
      refused();
    }
  });
  show(rest, false);
  return {
    node: h('span', '', node, news),
    rest,
    paint(python) {
      code = python;
      show(node, python !== '');
      if (!rest.hidden && field.value !== python) show(rest, false);
    },
    dispose: () => clearTimeout(timer),
  };
}
