/** Lines over a common x as a small SVG; each is told apart by its dashes, too. */
import { keyedList, type Component } from './component';
import { classNames, h, setAttr, setAttrs, setText, setVisible, svg } from './dom';
import { number } from './format';
import type { Plot, Point } from './sections';
import { makeScale } from './scale';

const [WIDTH, HEIGHT] = [600, 120];
const DASHES = ['', '7 3', '2 3', '9 3 2 3'];
const MAX_LINES = 20;

interface PlotLine {
  name: string;
  index: number;
  last: string;
}

export function plot(): Component<Plot> {
  const title = h('div', 'title');
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', class: classNames('plot') });
  const legend = h('div', 'legend');
  const names = keyedList<PlotLine>(legend, ({ index }) => String(index), legendItem);
  const node = h('div', 'plot-section', title, drawing as unknown as HTMLElement, legend);
  setAttr(drawing, 'role', 'img');
  return {
    node,
    update(data) {
      const lines = data.lines.filter(({ points }) => points.length > 1).slice(0, MAX_LINES);
      const every = lines.flatMap(({ points }) => points);
      const lows = lines.flatMap(({ low }) => (low === null ? [] : [low]));
      const [x, y] = [makeScale(every.map(([first]) => first), false), makeScale([...every.map(([, second]) => second), ...lows], false)];
      drawing.replaceChildren(...(x && y ? lines.map(({ points }, index) => polyline(points.map(([px, py]) => [x.position(px), y.position(py)]), index)) : []));
      const drawn = lines.map(({ name, points }, index) => ({ name, index, last: number(points.at(-1)![1]) }));
      names.update(drawn);
      setText(title, data.title);
      setAttr(drawing, 'aria-label', [data.title, ...drawn.map(({ name, last }) => `${name} ${last}`.trim())].filter(Boolean).join(': '));
      setVisible(node, lines.length > 0);
    },
  };
}

function polyline(points: Point[], index: number): SVGElement {
  const text = points.map(([x, y]) => `${(2 + x * (WIDTH - 4)).toFixed(1)},${(HEIGHT - 3 - y * (HEIGHT - 6)).toFixed(1)}`).join(' ');
  const node = svg('polyline', { points: text, class: classNames(`plot-line plot-line-${index % 6}`), 'vector-effect': 'non-scaling-stroke' });
  setAttrs(node, { 'stroke-dasharray': DASHES[index % DASHES.length] || null });
  return node;
}

function legendItem(): Component<PlotLine> {
  const sample = svg('svg', { viewBox: '0 0 24 8', 'aria-hidden': 'true', class: classNames('sample') });
  const label = h('span');
  const last = h('b', 'number');
  return {
    node: h('span', 'legend-item', sample as unknown as HTMLElement, label, ' ', last),
    update(line) {
      const stroke = svg('line', { x1: '0', y1: '4', x2: '24', y2: '4', class: classNames(`plot-line plot-line-${line.index % 6}`) });
      setAttrs(stroke, { 'stroke-dasharray': DASHES[line.index % DASHES.length] || null });
      sample.replaceChildren(stroke);
      setText(label, line.name);
      setText(last, line.last);
    },
  };
}

/** A line without axes, as high as a line of text. */
export function sparkline(points: Point[], low: number | null): SVGElement {
  const x = makeScale(points.map(([first]) => first), false);
  const y = makeScale([...points.map(([, second]) => second), ...(low === null ? [] : [low])], false);
  const node = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', class: classNames('spark'), 'aria-hidden': 'true' });
  if (x && y) node.append(polyline(points.map(([px, py]) => [x.position(px), y.position(py)]), 0));
  return node;
}
