/** Small parts that the views of what is served share. */
import { h, setAttrs, setText, show, type Part } from './dom';
import { icon } from './icon';
import { isFailed, signOf, stateWords } from './serve-words';

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
  setAttrs(node, { tabindex: '0', role: 'region', 'aria-label': 'Message of Ray Serve', 'data-lm-suppress-shortcuts': 'true' });
  return {
    node,
    paint(told) {
      setText(text, told.message);
      show(node, told.message !== '');
      node.classList.toggle('ray-magics-told-failed', isFailed(told));
    },
  };
}
