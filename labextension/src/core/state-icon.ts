/** The icon of a state. Each has a shape of its own: colour is never the only difference. */
import type { Component } from './component';
import { classNames, h, setAttr, setText, svg } from './dom';
import { lookUp } from './json-readers';

const RING = 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z';
const CHECK = `${RING}M5 8.25l2.1 2.1l4-4.4`;
const EXCLAMATION = `${RING}M8 4.5v4.25M8 11.1v.1`;

const PATHS: Record<string, string> = {
  pending: `${RING}M8 4.75v3.5l2.25 1.5`,
  running: 'M8 1.75a6.25 6.25 0 1 1-6.25 6.25',
  stopping: `${RING}M6 6h4v4h-4z`,
  finished: CHECK,
  failed: EXCLAMATION,
  cancelled: `${RING}M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5`,
  paused: `${RING}M6.4 5.5v5M9.6 5.5v5`,
  early: `${RING}M5.25 5.5l3.25 2.5l-3.25 2.5zM10.75 5.5v5`,
  connected: CHECK,
  lost: EXCLAMATION,
  none: RING,
  unknown: RING,
};

export interface StateIcon {
  node: SVGElement;
  update(name: string): void;
}

export function stateIcon(): StateIcon {
  const path = svg('path');
  const node = svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, path);
  return {
    node,
    update(name) {
      const known = lookUp(PATHS, name) ? name : 'unknown';
      setAttr(node, 'class', classNames(`icon is-${known}`));
      setAttr(path, 'd', PATHS[known]!);
    },
  };
}

/** An icon, and the state in words. */
export function stateLabel(): Component<{ icon: string; text: string }> {
  const icon = stateIcon();
  const label = h('span');
  return {
    node: h('span', 'cell-state', icon.node, label),
    update(state) {
      icon.update(state.icon);
      setText(label, state.text);
    },
  };
}
