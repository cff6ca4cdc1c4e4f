/** The sign of a state. Each has a shape of its own: colour is never the only difference. */
import { classes, setAttr, setAttrs } from './dom';

const SVG = 'http://www.w3.org/2000/svg';
const RING = 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z';

const STROKES: Record<string, string> = {
  pending: `${RING}M8 4.75v3.5l2.25 1.5`,
  running: 'M8 1.75a6.25 6.25 0 1 1-6.25 6.25',
  stopping: `${RING}M6 6h4v4h-4z`,
  finished: `${RING}M5 8.25l2.1 2.1l4-4.4`,
  failed: `${RING}M8 4.5v4.25M8 11.1v.1`,
  cancelled: `${RING}M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5`,
  paused: `${RING}M6.4 5.5v5M9.6 5.5v5`,
  early: `${RING}M5.25 5.5l3.25 2.5l-3.25 2.5zM10.75 5.5v5`,
  connected: `${RING}M5 8.25l2.1 2.1l4-4.4`,
  lost: `${RING}M8 4.5v4.25M8 11.1v.1`,
  none: RING,
  unknown: RING,
};

export interface Icon {
  node: SVGElement;
  paint(state: string): void;
}

export function icon(): Icon {
  const path = document.createElementNS(SVG, 'path');
  const node = document.createElementNS(SVG, 'svg');
  setAttrs(node, { viewBox: '0 0 16 16', 'aria-hidden': 'true' });
  node.append(path);
  return {
    node,
    paint(state) {
      const known = Object.hasOwn(STROKES, state) ? state : 'unknown';
      setAttr(node, 'class', classes(`icon is-${known}`));
      setAttr(path, 'd', STROKES[known] ?? RING);
    },
  };
}
