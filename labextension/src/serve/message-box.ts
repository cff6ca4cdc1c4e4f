/** What Ray Serve says of an application or a deployment, which may be a traceback. */
import type { Component } from '../core/component';
import { h, makeScrollRegion, setText, setVisible, suppressShortcuts } from '../core/dom';
import { isFailed } from './text';

export function messageBox(): Component<{ status: string; message: string }> {
  const text = h('pre');
  const node = h('div', 'lines told', text);
  makeScrollRegion(node, 'Message of Ray Serve');
  suppressShortcuts(node);
  return {
    node,
    update(part) {
      setText(text, part.message);
      setVisible(node, part.message !== '');
      node.classList.toggle('ray-magics-told-failed', isFailed(part));
    },
  };
}
