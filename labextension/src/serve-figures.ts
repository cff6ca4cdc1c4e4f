/** The requests of an application: a few numbers, and a curve of the last minutes. */
import { h, setAttr, setAttrs, setText, show, type Part } from './dom';
import { clock } from './format';
import type { App, Figures, Point } from './serve-status';
import { few, millis, percent, whole } from './serve-words';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT, EDGE] = [120, 26, 2];

const TILES: [title: string, text: (figures: Figures) => string][] = [
  ['Requests/s', ({ rate }) => few(rate)],
  ['p50', ({ p50 }) => millis(p50)],
  ['p95', ({ p95 }) => millis(p95)],
  ['p99', ({ p99 }) => millis(p99)],
  ['Errors', ({ errors }) => percent(errors)],
  ['Requests', ({ total }) => whole(total)],
];

export function figures(): Part<App> {
  const line = curve();
  const values = TILES.map(() => h('dd', 'number'));
  const tiles = TILES.map(([title], index) => h('div', 'tile', h('dt', 'muted', title), values[index]!));
  const node = h('dl', 'tiles', ...tiles);
  tiles[0]!.after(line.node);
  return {
    node,
    paint(app) {
      const known = Object.values(app.figures).some(value => value !== null);
      TILES.forEach(([, text], index) => setText(values[index]!, text(app.figures)));
      values[4]!.classList.toggle('ray-magics-bad', (app.figures.errors ?? 0) > 0);
      line.paint(app.history);
      show(node, known || app.history.length > 1);
    },
  };
}

function curve(): Part<Point[]> {
  const path = document.createElementNS(SVG, 'path');
  const picture = document.createElementNS(SVG, 'svg');
  const node = h('div', 'curve', picture as never);
  setAttrs(picture, { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  picture.append(path);
  return {
    node,
    paint(history) {
      const peak = Math.max(0, ...history.map(([, rate]) => rate));
      const first = Math.min(0, ...history.map(([ago]) => ago));
      const now = Math.max(...history.map(([ago]) => ago));
      show(node, history.length > 1 && first < now);
      if (node.hidden) return;
      setAttr(path, 'd', drawn(history, first, now, peak || 1));
      setAttr(picture, 'aria-label', `Requests a second in the last ${clock(-first)}, at most ${few(peak)}`);
    },
  };
}

/** "M0 24L60 2L120 13" */
function drawn(history: Point[], first: number, now: number, peak: number): string {
  const across = (ago: number): number => (WIDTH * (ago - first)) / (now - first);
  const up = (rate: number): number => HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (rate / peak);
  return `M${history.map(([ago, rate]) => `${across(ago).toFixed(1)} ${up(rate).toFixed(1)}`).join('L')}`;
}
