/** Small parts that the views of what is served share. */
import { h, setAttr, setText, show, type Part } from '../core/dom';
import { icon } from '../core/state-icon';
import { isFailed, signOf, stateWords } from './text';

/** A sign and a word. */
export function statePart(): Part<string> {
  const sign = icon();
  const text = h('span');
  return {
    node: h('span', 'cell-state', sign.node, text),
    paint(state) {
      sign.paint(signOf(state));
      setText(text, stateWords(state));
    },
  };
}

export interface Told {
  status: string;
  message: string;
}

/** What Ray says of an application or a deployment, which may be a traceback. */
export function messageBox(): Part<Told> {
  const text = h('pre');
  const node = h('div', 'lines told', text);
  setAttr(node, 'tabindex', '0');
  setAttr(node, 'role', 'region');
  setAttr(node, 'aria-label', 'Message of Ray Serve');
  setAttr(node, 'data-lm-suppress-shortcuts', 'true');
  return {
    node,
    paint(told) {
      setText(text, told.message);
      show(node, told.message !== '');
      node.classList.toggle('ray-magics-told-failed', isFailed(told));
    },
  };
}
