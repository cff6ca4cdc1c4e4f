/** Parallel coordinates: a line for each trial through its parameters to its metric; a drag on an axis filters. */
import { canvasChart, drawLabel, drawPlatedLabel, fitText, strokeLine, type Drawing } from '../core/canvas-chart';
import type { Component } from '../core/component';
import { h, setAttr, setText, setVisible } from '../core/dom';
import { count } from '../core/format';
import { chartSection } from './chart-section';
import type { Test } from './filter';
import { axesOf, type Axis } from './parallel-axes';
import { sample, type SearchView, type Select } from './search-view';
import { compareScores, scoreOf, type Search, type Trial } from './status';

const HEIGHT = 240;
const [SIDE, TOP, BOTTOM] = [26, 36, 12];
const AXIS_RANGE = 18; // pixels within which the pointer finds an axis, and a line
const LINE_RANGE = 10;
const MAX_FAINT = 150; // of the lines that the brushes exclude
const HINT = 'Drag along an axis to filter, click it to clear.';
// Orange to blue, which every kind of colour-blindness keeps apart.
const RAMPS = {
  light: [[214, 137, 16], [160, 160, 168], [21, 88, 184]],
  dark: [[214, 137, 40], [125, 128, 138], [110, 190, 255]],
};
const BEST_COLOUR = { light: '#1558b8', dark: '#6ebeff' };

interface Brush {
  from: number;
  to: number;
  test: Test;
}

interface Drag {
  axis: Axis;
  from: number;
  y: number;
  moved: boolean;
}

export interface ParallelCoordinates extends Component<SearchView> {
  /** What the brushes ask of a trial. */
  tests(): Test[];
  clearBrushes(): void;
}

export function parallelCoordinates(select: Select, brushed: () => void): ParallelCoordinates {
  const chart = canvasChart(HEIGHT, draw, drawMarked);
  const area = chart.node;
  const ramp = h('span', 'ramp');
  const legend = h('span', 'legend muted', 'worst', ramp, 'best');
  const section = chartSection('Parameters', HINT, legend, h('div', 'scroll', area));
  const brushes = new Map<string, Brush>();
  let current: SearchView | null = null;
  let axes: Axis[] = [];
  let drawn: Trial[] = [];
  let drag: Drag | null = null;
  let hovered: Trial | null = null;
  setAttr(area, 'role', 'img');

  const axisX = (index: number, width: number): number => SIDE + (axes.length > 1 ? (index * (width - 2 * SIDE)) / (axes.length - 1) : (width - 2 * SIDE) / 2);

  function draw(drawing: Drawing): void {
    if (!current) return;
    const { search, filtered, visible, best, selected } = current;
    const { muted, accent, dark } = drawing.colours;
    const colours = RAMPS[dark ? 'dark' : 'light'];
    axes = axesOf(search, filtered);
    drawn = bestLast(sample(visible, [best, selected]), search);
    if (brushes.size > 0) for (const trial of sample(filtered, [], MAX_FAINT)) drawTrial(drawing, trial, muted, 1, 0.12);
    const scored = drawn.filter(trial => search.metric && !Number.isNaN(scoreOf(trial))).length;
    const unscored = drawn.length - scored;
    const alpha = Math.max(0.3, Math.min(0.8, 60 / drawn.length));
    drawn.forEach((trial, index) => {
      // By rank, which no outlier distorts; squared, so that only the good ones are blue.
      const rank = scored > 1 ? (index - unscored) / (scored - 1) : 1;
      const [colour, opacity] = index < unscored ? [search.metric ? muted : accent, alpha / 2] : [mixColours(colours, rank ** 2), alpha];
      drawTrial(drawing, trial, colour, 1.25, opacity);
    });
    ramp.style.background = `linear-gradient(to right, ${[0, 0.5, 1].map(place => mixColours(colours, place)).join(', ')})`;
    setVisible(legend, scored > 1);
    axes.forEach((_, index) => drawAxis(drawing, index));
    const amount = `${count(drawn.length)} of ${count(visible.length)} trials drawn`;
    setText(section.note, drawn.length < visible.length ? amount : `${count(drawn.length)} trials`);
    setAttr(area, 'aria-label', `Parallel coordinates of ${axes.map(axis => axis.title).join(', ')}: ${amount}. The filter field does the same as its brushes.`);
  }

  function drawMarked(drawing: Drawing): void {
    if (!current) return;
    const { best, selected } = current;
    const { back, text, accent, dark } = drawing.colours;
    if (best && drawn.includes(best)) {
      drawTrial(drawing, best, back, 6, 0.9);
      drawTrial(drawing, best, BEST_COLOUR[dark ? 'dark' : 'light'], 3.5, 1);
    }
    if (selected) drawTrial(drawing, selected, text, 2.5, 1);
    if (hovered) drawTrial(drawing, hovered, accent, 2, 1);
    axes.forEach((axis, index) => {
      const brush = brushes.get(axis.key);
      if (brush) drawBrush(drawing, axisX(index, drawing.width), brush);
    });
    axes.forEach((axis, index) => drawLabels(drawing, axis, index));
  }

  function drawTrial({ context, width }: Drawing, trial: Trial, colour: string, lineWidth: number, alpha: number): void {
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = lineWidth;
    strokeLine(context, axes.flatMap((axis, index) => [axisX(index, width), toY(axis.position(trial))]));
    context.globalAlpha = 1;
  }

  function drawAxis({ context, width, colours }: Drawing, index: number): void {
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.strokeRect(Math.round(axisX(index, width)) + 0.5, TOP, 0, HEIGHT - TOP - BOTTOM);
  }

  function drawLabels(drawing: Drawing, axis: Axis, index: number): void {
    const { context, width, colours } = drawing;
    const x = axisX(index, width);
    const gap = axes.length > 1 ? axisX(1, width) - axisX(0, width) : width;
    const [isFirst, isLast] = [index === 0, index === axes.length - 1];
    context.font = colours.font;
    for (const { position, text } of axis.ticks) {
      drawPlatedLabel(drawing, fitText(context, text, gap - 16), isLast ? x - 8 : x + 8, toY(position), isLast ? 'right' : 'left', colours.text);
    }
    const [titleX, align] = isFirst ? [x - SIDE + 4, 'left' as const] : isLast ? [x + SIDE - 4, 'right' as const] : [x, 'center' as const];
    const lowered = gap < 70 && index % 2 ? 11 : 0; // so that titles close to each other do not overlap
    drawLabel(drawing, fitText(context, axis.title, gap - 6), titleX, 10 + lowered, align, colours.text);
  }

  const pointerAt = (event: MouseEvent): { x: number; y: number; width: number } => {
    const frame = area.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top, width: area.clientWidth };
  };
  const positionAt = (event: MouseEvent): number => Math.max(0, Math.min(1, (HEIGHT - BOTTOM - pointerAt(event).y) / (HEIGHT - TOP - BOTTOM)));
  const axisAt = (event: MouseEvent): Axis | undefined => {
    const { x, width } = pointerAt(event);
    return axes.find((_, index) => Math.abs(axisX(index, width) - x) <= AXIS_RANGE);
  };
  const trialAt = (event: MouseEvent): Trial | null => {
    const { x, y, width } = pointerAt(event);
    const index = axes.findIndex((_, index) => index > 0 && axisX(index, width) >= x);
    const [left, right] = [axes[index - 1], axes[index]];
    if (!left || !right) return null;
    const share = (x - axisX(index - 1, width)) / (axisX(index, width) - axisX(index - 1, width));
    const distance = (trial: Trial): number => Math.abs(toY(left.position(trial) * (1 - share) + right.position(trial) * share) - y);
    const near = drawn.filter(trial => distance(trial) < LINE_RANGE).sort((one, other) => distance(one) - distance(other));
    return near[0] ?? null;
  };
  const hover = (trial: Trial | null): void => {
    if (hovered === trial) return;
    hovered = trial;
    setText(section.readout, trial ? `Trial ${trial.number} · click selects it` : HINT);
    chart.redrawOverlay();
  };
  const moveBrush = (event: MouseEvent, { axis, from: start }: Drag): void => {
    const end = positionAt(event);
    const [from, to] = [Math.min(start, end), Math.max(start, end)];
    brushes.set(axis.key, { from, to, test: axis.between(from, to) });
    chart.redrawOverlay();
    brushed();
  };

  area.addEventListener('pointerdown', event => {
    const axis = axisAt(event);
    if (!axis || event.button !== 0) return;
    drag = { axis, from: positionAt(event), y: event.clientY, moved: false };
    area.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  area.addEventListener('pointermove', event => {
    if (drag) {
      drag.moved ||= Math.abs(event.clientY - drag.y) > 3;
      if (drag.moved) moveBrush(event, drag);
      return;
    }
    const axis = axisAt(event);
    area.style.cursor = axis ? 'ns-resize' : '';
    hover(axis ? null : trialAt(event));
  });
  area.addEventListener('pointerup', () => {
    if (drag && !drag.moved && brushes.delete(drag.axis.key)) brushed();
    drag = null;
  });
  area.addEventListener('pointercancel', () => {
    drag = null;
  });
  area.addEventListener('pointerleave', () => hover(null));
  area.addEventListener('click', event => {
    const trial = axisAt(event) ? null : trialAt(event);
    if (trial) select(trial.id);
  });

  return {
    node: section.node,
    tests: () => [...brushes.values()].map(({ test }) => test),
    clearBrushes() {
      brushes.clear();
      brushed();
    },
    update(view) {
      const { filtered, visible, search } = view;
      const isStale = current?.visible !== visible || current.filtered !== filtered;
      const isMarkedAnew = current?.selected !== view.selected || current.best !== view.best;
      current = view;
      section.setEmpty(filtered.length ? '' : 'No trials to draw.');
      area.style.minWidth = `${64 * Math.min(13, search.params.length + 1)}px`;
      if (isStale) chart.redraw();
      else if (isMarkedAnew) chart.redrawOverlay();
    },
    dispose: chart.dispose,
  };
}

function toY(position: number): number {
  return HEIGHT - BOTTOM - position * (HEIGHT - TOP - BOTTOM);
}

function drawBrush({ context, colours }: Drawing, x: number, { from, to }: Brush): void {
  const [top, height] = [toY(to), toY(from) - toY(to)];
  context.fillStyle = context.strokeStyle = colours.accent;
  context.globalAlpha = 0.25;
  context.fillRect(x - 8, top, 16, height);
  context.globalAlpha = 1;
  context.lineWidth = 1.5;
  context.strokeRect(x - 8, top, 16, height);
}

/** So that the best is drawn above the others; what has no score comes first. */
function bestLast(trials: Trial[], { mode, metric }: Search): Trial[] {
  return metric ? [...trials].sort((one, other) => compareScores(other, one, mode)) : trials;
}

/** The colour at a place from 0 to 1 on a ramp of three. */
function mixColours(ramp: number[][], place: number): string {
  const index = Math.min(1, Math.floor(place * 2));
  const share = place * 2 - index;
  const [one, other] = [ramp[index]!, ramp[index + 1]!];
  return `rgb(${one.map((part, channel) => Math.round(part + share * (other[channel]! - part))).join(' ')})`;
}
