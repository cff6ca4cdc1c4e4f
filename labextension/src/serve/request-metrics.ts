/** The requests to an application: a few numbers, and a sparkline of the last minutes. */
import type { Component } from '../core/component';
import { h, setAttr, setText, setVisible, svg } from '../core/dom';
import { clock } from '../core/format';
import type { Application, RatePoint, RequestMetrics } from './status';
import { decimalText, millisecondsText, percentText, wholeText } from './text';

const [WIDTH, HEIGHT, MARGIN] = [120, 26, 2];

interface Tile {
  title: string;
  text(metrics: RequestMetrics): string;
  isBad?(metrics: RequestMetrics): boolean;
}

const TILES: Tile[] = [
  { title: 'Requests/s', text: ({ rate }) => decimalText(rate) },
  { title: 'p50', text: ({ p50 }) => millisecondsText(p50) },
  { title: 'p95', text: ({ p95 }) => millisecondsText(p95) },
  { title: 'p99', text: ({ p99 }) => millisecondsText(p99) },
  { title: 'Errors', text: ({ errors }) => percentText(errors), isBad: ({ errors }) => (errors ?? 0) > 0 },
  { title: 'Requests', text: ({ total }) => wholeText(total) },
];

export function requestMetrics(): Component<Application> {
  const rates = sparkline();
  const values = TILES.map(() => h('dd', 'number'));
  const tiles = TILES.map(({ title }, index) => h('div', 'tile', h('dt', 'muted', title), values[index]!));
  const node = h('dl', 'tiles', ...tiles);
  tiles[0]!.after(rates.node);
  return {
    node,
    update({ metrics, history }) {
      TILES.forEach((tile, index) => {
        setText(values[index]!, tile.text(metrics));
        values[index]!.classList.toggle('ray-magics-bad', tile.isBad?.(metrics) ?? false);
      });
      rates.update(history);
      setVisible(node, Object.values(metrics).some(value => value !== null) || history.length > 1);
    },
  };
}

function sparkline(): Component<RatePoint[]> {
  const path = svg('path');
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' }, path);
  const node = h('div', 'curve', picture);
  return {
    node,
    update(history) {
      const peak = Math.max(0, ...history.map(([, rate]) => rate));
      const first = Math.min(0, ...history.map(([ago]) => ago));
      const last = Math.max(...history.map(([ago]) => ago));
      setVisible(node, history.length > 1 && first < last);
      if (node.hidden) return;
      const x = (ago: number): number => (WIDTH * (ago - first)) / (last - first);
      const y = (rate: number): number => HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (rate / (peak || 1));
      setAttr(path, 'd', `M${history.map(([ago, rate]) => `${x(ago).toFixed(1)} ${y(rate).toFixed(1)}`).join('L')}`);
      setAttr(picture, 'aria-label', `Requests a second in the last ${clock(-first)}, at most ${decimalText(peak)}`);
    },
  };
}
