/** The first line of a card or a group: a state, what has it, how long, and Stop. */
import { keyedList, type Component } from './component';
import { h, setAttr, setText, setVisible } from './dom';
import { externalLink } from './external-link';
import { clock, seconds, word } from './format';
import type { Cell, Header } from './sections';
import { stateIcon } from './state-icon';
import { isLiveState } from './status';
import { stopButton } from './stop-button';
import { joinText } from './text';
import type { Send } from './transport';

interface HeaderState {
  header: Header;
  age: number;
  kernelGone: boolean;
}

export function header(send: Send): Component<HeaderState> {
  const icon = stateIcon();
  const state = h('span', 'state');
  const name = h('span', 'name');
  const details = h('span', 'muted');
  const elapsed = h('span', 'elapsed');
  const links = h('span', 'links');
  const linkList = keyedList<Cell & { kind: 'link' }>(links, ({ text }) => text, headerLink);
  const stop = stopButton(send);
  const head = h('div', 'head', icon.node, state, name, details, h('span', 'right', links, elapsed, stop.node));
  const node = h('div', '', head, stop.message);
  return {
    node,
    update({ header, age, kernelGone }) {
      const live = isLiveState(header.state);
      const stopFocused = document.activeElement === stop.node;
      icon.update(header.state);
      setText(state, header.title || word(header.state));
      setText(name, header.name);
      setText(details, joinText(header.details.map(detail => detail.kind !== 'curve' && detail.kind !== 'link' && detail.text)));
      // Where there is a clock, room is scarce in a narrow view.
      details.classList.toggle('ray-magics-verb', header.elapsed !== null);
      linkList.update(header.details.filter(detail => detail.kind === 'link'));
      setText(elapsed, elapsedText(header.state, header.elapsed, age));
      setVisible(elapsed, header.elapsed !== null);
      stop.update({ id: header.run, name: header.name, state: header.state, stoppable: header.stop !== '' && !kernelGone, label: header.stop || 'Stop' });
      // Stop has just been hidden; the focus would go back to the top of the page.
      if (stopFocused && !live) node.closest<HTMLElement>('.ray-magics-card')?.focus({ preventScroll: true });
    },
    dispose: stop.dispose,
  };
}

/** In whole seconds while it ticks. */
export function elapsedText(state: string, elapsed: number | null, age = 0): string {
  if (elapsed === null) return '';
  return isLiveState(state) ? clock(elapsed + age) : seconds(elapsed);
}

/** A link, or its text alone where a browser may not follow it. */
function headerLink(): Component<Cell & { kind: 'link' }> {
  const label = h('span');
  const link = externalLink(label);
  const node = h('span', '', link.node);
  return {
    node,
    update({ url, text }) {
      setText(label, text);
      setAttr(node, 'title', text);
      setVisible(node, link.update(url));
    },
  };
}
