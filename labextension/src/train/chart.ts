/** The chart of one metric: its last value, its curves, and what the pointer or a key reads out of them. */
import { canvasChart, type Drawing } from '../core/canvas-chart';
import type { Component } from '../core/component';
import { h, setAttr, setAttrs, setText, setTextOrHide, setVisible, suppressShortcuts } from '../core/dom';
import { count, number, plural } from '../core/format';
import { nearestPoint, plotArea } from '../core/plot-area';
import { joinText, NO_VALUE } from '../core/text';
import { indexAt, moveCursor, readoutText, type Cursor } from './cursor';
import { curvesOf, piecesOf, type Curve, type Curves } from './curves';
import type { Metric } from './status';
import type { ChartOptions } from './toolbar';

const HEIGHT = 180;
const { pixelsOf, drawCurve, drawAxes } = plotArea({ left: 52, right: 12, top: 10, bottom: 34 });

export interface ChartProps {
  metric: Metric;
  options: ChartOptions;
}

interface DrawnCurve extends Curve {
  pixels: Float32Array;
}

export function metricChart(): Component<ChartProps> {
  const chart = canvasChart(HEIGHT, draw, drawCursor);
  const area = chart.node;
  const name = h('span', 'metric-name');
  const last = h('b', 'number');
  const readout = h('span', 'readout');
  const extent = h('span', 'muted');
  const unfinite = h('div', 'why');
  const note = h('div', 'note');
  const node = h('div', 'metric', h('div', 'metric-head', name, last), area, h('div', 'metric-foot', readout, extent), unfinite, note);
  let current: ChartProps | null = null;
  let curves: Curves = { curves: [], axes: null, note: '' };
  let drawn: DrawnCurve[] = [];
  let cursor: Cursor | null = null;
  suppressShortcuts(area);
  setAttrs(area, { tabindex: '0', role: 'group' });
  setAttr(readout, 'aria-live', 'polite');

  function draw(drawing: Drawing): void {
    const { axes } = curves;
    drawn = axes ? curves.curves.map(curve => ({ ...curve, pixels: pixelsOf(curve.positions, axes.x.scale, axes.y.scale, drawing) })) : [];
    if (!axes) return;
    const { accent, muted } = drawing.colours;
    drawAxes(drawing, axes.x, axes.y);
    for (const { pixels } of drawn.slice(1)) drawPieces(drawing, pixels, 1, muted, 0.7);
    for (const { pixels } of drawn.slice(0, 1)) drawPieces(drawing, pixels, 2, accent, 1);
  }

  function drawCursor(drawing: Drawing): void {
    const index = cursor && indexAt(drawn, cursor);
    if (!cursor || index === null) return;
    const { pixels } = drawn[cursor.line]!;
    const { text } = drawing.colours;
    if (cursor.line > 0) drawPieces(drawing, pixels, 1.5, text, 1);
    drawPieces(drawing, pixels.subarray(2 * index, 2 * index + 2), 2.5, text, 1);
  }

  const updateReadout = (): void => {
    const text = readoutText(curves.curves, cursor);
    setText(readout, text);
    setVisible(extent, text === '');
  };
  const moveTo = (next: Cursor | null): void => {
    if (cursor?.line === next?.line && cursor?.step === next?.step) return;
    cursor = next;
    updateReadout();
    chart.redrawOverlay();
  };
  const cursorAt = (event: MouseEvent): Cursor | null => {
    const frame = area.getBoundingClientRect();
    const nearest = nearestPoint(drawn.map(curve => curve.pixels), event.clientX - frame.left, event.clientY - frame.top, Infinity);
    return nearest && { line: nearest.line, step: drawn[nearest.line]!.points[nearest.point]![0] };
  };
  area.addEventListener('pointermove', event => moveTo(cursorAt(event)));
  area.addEventListener('pointerleave', () => moveTo(null));
  area.addEventListener('blur', () => moveTo(null));
  area.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = moveCursor(curves.curves, cursor, event.key);
    if (!next) return;
    moveTo(next);
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    node,
    update(props) {
      if (current?.metric === props.metric && current.options === props.options) return;
      current = props;
      const { metric, options } = props;
      curves = curvesOf(metric, options);
      setText(name, metric.name);
      setAttr(name, 'title', metric.name);
      setText(last, valueText(metric.last));
      setText(extent, extentText(metric));
      setTextOrHide(unfinite, unfiniteText(metric));
      setTextOrHide(note, curves.note);
      setAttr(area, 'aria-label', labelText(metric, options));
      updateReadout();
      chart.redraw();
    },
    dispose: chart.dispose,
  };
}

/** Between gaps, a point alone is drawn as a dot. */
function drawPieces(drawing: Drawing, pixels: Float32Array, lineWidth: number, colour: string, alpha: number): void {
  for (const piece of piecesOf(pixels)) drawCurve(drawing, piece, lineWidth, colour, alpha);
}

/** "loss over steps, last 0.25, least 0.2, most 2.3. Arrow keys read out its points." */
function labelText(metric: Metric, { byTime }: ChartOptions): string {
  const values = joinText([`last ${valueText(metric.last)}`, extentText(metric, ', ')], ', ');
  return `${metric.name} over ${byTime ? 'time' : 'steps'}, ${values}. Arrow keys read out its points.`;
}

/** "least 0.2 · most 2.3" */
function extentText({ least, most }: Metric, separator?: string): string {
  return joinText([least !== null && `least ${number(least)}`, most !== null && `most ${number(most)}`], separator);
}

/** "3 reports were NaN or infinite", or nothing */
function unfiniteText({ unfinite }: Metric): string {
  return unfinite > 0 ? `${count(unfinite)} ${plural('report', unfinite)} ${unfinite === 1 ? 'was' : 'were'} NaN or infinite` : '';
}

function valueText(value: number | null): string {
  return value === null ? NO_VALUE : number(value);
}
