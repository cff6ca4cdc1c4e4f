/** Parallel coordinates: a line for each trial through its parameters to its metric; a drag on an axis filters. */
import { chart, fit, label, type Brush } from '../core/canvas-chart';
import { h, setAttr, setLine, setText, show, type Part } from '../core/dom';
import { count } from '../core/format';
import { axesOf, type Axis, type Range } from './parallel-axes';
import { sample, type Scene, type Select } from './search-view';
import type { Test } from './filter';
import { isBetter, scoreOf, type Trial } from './status';

const HEIGHT = 240;
const [SIDE, TOP, BOTTOM] = [26, 30, 12];
const GRIP = 18;
const NEAR = 10;
const FAINT = 150;
// Blue against orange, which every kind of colour-blindness keeps apart.
const RAMPS = {
  light: [[214, 137, 16], [160, 160, 168], [21, 88, 184]],
  dark: [[214, 137, 40], [125, 128, 138], [110, 190, 255]],
};

interface Brushed {
  from: number;
  to: number;
  range: Range;
}

interface Drag {
  axis: Axis;
  from: number;
  y: number;
  moved: boolean;
}

export interface Parallel extends Part<Scene> {
  /** What the brushes ask of a trial. */
  tests(): Test[];
  clear(): void;
}

export function parallel(select: Select, brushedAnew: () => void): Parallel {
  const area = chart(HEIGHT, draw, mark);
  const scroller = h('div', 'scroll', area.node);
  const note = h('div', 'muted');
  const worst = h('span', 'ramp');
  const legend = h('span', 'legend muted', 'worst', worst, 'best');
  const news = h('div', 'readout');
  const summary = h('summary', 'title', 'Parameters');
  const none = h('div', 'empty');
  const picture = h('div', '', h('div', 'chart-head', note, legend), scroller, news);
  const node = h('details', 'section chart', summary, none, picture);
  const brushes = new Map<string, Brushed>();
  node.open = true;
  setAttr(summary, 'data-lm-suppress-shortcuts', 'true');
  setAttr(area.node, 'role', 'img');
  setText(news, 'Drag along an axis to filter, click it to clear.');
  let scene: Scene | null = null;
  let axes: Axis[] = [];
  let lines: Trial[] = [];
  let drag: Drag | null = null;
  let hovered: Trial | null = null;

  const across = (index: number, width: number): number => SIDE + (axes.length > 1 ? (index * (width - 2 * SIDE)) / (axes.length - 1) : (width - 2 * SIDE) / 2);
  const down = (place: number): number => HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);

  function draw(brush: Brush): void {
    if (!scene) return;
    const { tune, matching, shown, best, selected } = scene;
    axes = axesOf(tune, matching);
    lines = ranked(sample(shown, [best, selected]), tune.mode, tune.metric);
    const ramp = RAMPS[brush.colours.dark ? 'dark' : 'light'];
    if (brushes.size > 0) for (const trial of sample(matching, [], FAINT)) trace(brush, trial, brush.colours.muted, 1, 0.12);
    const scored = lines.filter(trial => tune.metric && !Number.isNaN(scoreOf(trial))).length;
    const unscored = lines.length - scored;
    const alpha = Math.max(0.3, Math.min(0.8, 60 / lines.length));
    lines.forEach((trial, index) => {
      // By rank, which no outlier distorts; squared, so that only the good ones are blue.
      const without = tune.metric ? brush.colours.muted : brush.colours.accent;
      const colour = index < unscored ? without : mix(ramp, scored > 1 ? ((index - unscored) / (scored - 1)) ** 2 : 1);
      trace(brush, trial, colour, 1.25, index < unscored ? alpha / 2 : alpha);
    });
    worst.style.background = `linear-gradient(to right, ${[0, 0.5, 1].map(place => mix(ramp, place)).join(', ')})`;
    show(legend, scored > 1);
    axes.forEach((axis, index) => drawAxis(brush, axis, index));
    const drawn = `${count(lines.length)} of ${count(shown.length)} trials drawn`;
    setText(note, lines.length < shown.length ? drawn : `${count(lines.length)} trials`);
    setAttr(area.node, 'aria-label', `Parallel coordinates of ${axes.map(axis => axis.title).join(', ')}: ${drawn}. The filter field does the same as its brushes.`);
  }

  function mark(brush: Brush): void {
    if (!scene) return;
    const { colours } = brush;
    if (scene.best && lines.includes(scene.best)) trace(brush, scene.best, colours.back, 6, 0.9);
    if (scene.best && lines.includes(scene.best)) trace(brush, scene.best, colours.dark ? '#6ebeff' : '#1558b8', 3.5, 1);
    if (scene.selected) trace(brush, scene.selected, colours.text, 2.5, 1);
    if (hovered) trace(brush, hovered, colours.accent, 2, 1);
    axes.forEach((axis, index) => {
      const brushed = brushes.get(axis.key);
      if (brushed) drawBrush(brush, across(index, brush.width), brushed);
    });
  }

  function trace({ context, width }: Brush, trial: Trial, colour: string, thick: number, alpha: number): void {
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.lineJoin = 'round';
    context.beginPath();
    let drawing = false;
    axes.forEach((axis, index) => {
      const place = axis.at(trial);
      if (Number.isNaN(place)) drawing = false;
      else if (drawing) context.lineTo(across(index, width), down(place));
      else context.moveTo(across(index, width), down(place));
      drawing = !Number.isNaN(place);
    });
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawAxis(brush: Brush, axis: Axis, index: number): void {
    const { context, width, colours } = brush;
    const x = across(index, width);
    const room = axes.length > 1 ? across(1, width) - across(0, width) : width;
    const last = index === axes.length - 1;
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.strokeRect(Math.round(x) + 0.5, TOP, 0, HEIGHT - TOP - BOTTOM);
    for (const { place, text } of axis.ticks) {
      label(brush, fit(context, text, room - 12), last ? x - 5 : x + 5, down(place), last ? 'right' : 'left', colours.muted);
    }
    const side = index === 0 ? 'left' : last ? 'right' : 'center';
    const from = index === 0 ? x - SIDE + 4 : last ? x + SIDE - 4 : x;
    label(brush, fit(context, axis.title, room - 6), from, 10 + (room < 70 && index % 2 ? 11 : 0), side, colours.text);
  }

  function drawBrush({ context, colours }: Brush, x: number, { from, to }: Brushed): void {
    context.fillStyle = context.strokeStyle = colours.accent;
    context.globalAlpha = 0.25;
    context.fillRect(x - 8, down(to), 16, down(from) - down(to));
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.strokeRect(x - 8, down(to), 16, down(from) - down(to));
  }

  const pointer = (event: MouseEvent): { x: number; y: number; width: number } => {
    const frame = area.node.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top, width: area.node.clientWidth };
  };
  const placeOf = (y: number): number => Math.max(0, Math.min(1, (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM)));
  const axisAt = (event: MouseEvent): Axis | undefined => {
    const { x, width } = pointer(event);
    return axes.find((_, index) => Math.abs(across(index, width) - x) <= GRIP);
  };
  const lineAt = (event: MouseEvent): Trial | null => {
    const { x, y, width } = pointer(event);
    const right = axes.findIndex((_, index) => index > 0 && across(index, width) >= x);
    const [one, other] = [axes[right - 1], axes[right]];
    if (!one || !other) return null;
    const share = (x - across(right - 1, width)) / (across(right, width) - across(right - 1, width));
    const far = (trial: Trial): number => Math.abs(down(one.at(trial) * (1 - share) + other.at(trial) * share) - y);
    const near = lines.filter(trial => far(trial) < NEAR).sort((first, second) => far(first) - far(second));
    return near[0] ?? null;
  };
  const hover = (trial: Trial | null): void => {
    if (hovered === trial) return;
    hovered = trial;
    setText(news, trial ? `Trial ${trial.number} · click selects it` : 'Drag along an axis to filter, click it to clear.');
    area.remark();
  };

  area.node.addEventListener('pointerdown', event => {
    const axis = axisAt(event);
    if (!axis || event.button !== 0) return;
    drag = { axis, from: placeOf(pointer(event).y), y: event.clientY, moved: false };
    area.node.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  area.node.addEventListener('pointermove', event => {
    if (!drag) {
      const axis = axisAt(event);
      area.node.style.cursor = axis ? 'ns-resize' : '';
      hover(axis ? null : lineAt(event));
      return;
    }
    drag.moved ||= Math.abs(event.clientY - drag.y) > 3;
    if (!drag.moved) return;
    const place = placeOf(pointer(event).y);
    const [from, to] = [Math.min(drag.from, place), Math.max(drag.from, place)];
    brushes.set(drag.axis.key, { from, to, range: drag.axis.between(from, to) });
    area.remark();
    brushedAnew();
  });
  const release = (): void => {
    if (drag && !drag.moved && brushes.delete(drag.axis.key)) brushedAnew();
    drag = null;
  };
  area.node.addEventListener('pointerup', release);
  area.node.addEventListener('pointercancel', () => { drag = null; });
  area.node.addEventListener('pointerleave', () => hover(null));
  area.node.addEventListener('click', event => {
    const trial = axisAt(event) ? null : lineAt(event);
    if (trial) select(trial.id);
  });

  return {
    node,
    tests: () => [...brushes.values()].map(({ range }) => range.passes),
    clear() {
      brushes.clear();
      brushedAnew();
    },
    paint(next) {
      const stale = scene?.shown !== next.shown || scene.matching !== next.matching;
      const other = scene?.selected !== next.selected || scene.best !== next.best;
      scene = next;
      setLine(none, next.matching.length ? '' : 'No trials to draw.');
      show(picture, next.matching.length > 0);
      area.node.style.minWidth = `${64 * Math.min(13, next.tune.params.length + 1)}px`;
      if (stale) area.redraw();
      else if (other) area.remark();
    },
    dispose: area.dispose,
  };
}

/** The best last, so that it is drawn above the others; what has no score first. */
function ranked(trials: Trial[], mode: string, metric: string): Trial[] {
  if (!metric) return trials;
  return [...trials].sort((one, other) => (isBetter(scoreOf(one), scoreOf(other), mode) ? 1 : isBetter(scoreOf(other), scoreOf(one), mode) ? -1 : 0));
}

function mix(ramp: number[][], place: number): string {
  const from = Math.min(1, Math.floor(place * 2));
  const share = place * 2 - from;
  const [one, other] = [ramp[from]!, ramp[from + 1]!];
  return `rgb(${one.map((part, index) => Math.round(part + share * (other[index]! - part))).join(' ')})`;
}
