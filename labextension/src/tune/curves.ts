/** The metric over iterations, a line for each trial; over trials, where each reports once. */
import { canvasChart, drawLabel, type Drawing } from '../core/canvas-chart';
import type { Component } from '../core/component';
import { setAttr, setAttrs, setText, suppressShortcuts } from '../core/dom';
import { count, number, plural } from '../core/format';
import { nearestPoint, plotArea } from '../core/plot-area';
import { makeScale } from '../core/scale';
import { joinText } from '../core/text';
import { toggle } from '../core/toggle';
import { chartSection } from './chart-section';
import { sample, type SearchView, type Select } from './search-view';
import { compareScores, curveOf, isBetter, scoreOf, type CurvePoint, type Trial } from './status';

const HEIGHT = 240;
const MARGINS = { left: 52, right: 14, top: 20, bottom: 34 };
const { pixelsOf, drawCurve, drawAxes } = plotArea(MARGINS);
const POINTER_RANGE = 30; // pixels within which the pointer finds a curve
const HINT = 'Click a curve to select its trial.';

interface Curve {
  trial: Trial;
  points: CurvePoint[];
  /** Where they are in the picture: x, y, x, y ... */
  pixels: Float32Array;
}

export function curves(select: Select): Component<SearchView> {
  const chart = canvasChart(HEIGHT, draw, drawMarked);
  const area = chart.node;
  const logBox = toggle('log scale', false, chart.redraw);
  const section = chartSection('Curves', '', logBox.node, area);
  let current: SearchView | null = null;
  let drawn: Curve[] = [];
  let byTrial = false;
  let hovered: Trial | null = null;
  suppressShortcuts(area);
  setAttrs(area, { tabindex: '0', role: 'group' });
  setAttr(section.readout, 'aria-live', 'polite');

  function draw(drawing: Drawing): void {
    if (!current) return;
    const { search, best, selected, visible } = current;
    const trials = sample(visible, [best, selected]).filter(trial => trial.points > 0);
    byTrial = trials.every(trial => trial.points <= 1);
    const all = trials.map(trial => ({ trial, points: byTrial ? pointsByTrial(trial) : curveOf(trial) }));
    const x = makeScale(all.flatMap(({ points }) => points.map(([step]) => step)), false);
    const y = makeScale(all.flatMap(({ points }) => points.map(([, value]) => value)), logBox.isOn(), true);
    drawn = x && y ? all.map(curve => ({ ...curve, pixels: pixelsOf(curve.points, x, y, drawing) })) : [];
    const reporting = visible.filter(trial => trial.points > 0).length;
    const amount = reporting > drawn.length ? `${count(drawn.length)} of ${count(reporting)} trials drawn` : `${count(drawn.length)} trials`;
    setText(section.note, joinText([amount, y?.outliers ? `${count(y.outliers)} ${plural('point', y.outliers)} beyond the edge` : '']));
    setAttr(area, 'aria-label', `${search.metric} ${byTrial ? 'of each trial' : 'over iterations'}, ${amount}. Arrow keys select a trial.`);
    if (!x || !y) return;
    drawAxes(drawing, { scale: x, title: byTrial ? 'trial' : 'iteration', whole: true }, { scale: y, title: search.metric });
    const alpha = Math.max(0.15, Math.min(0.6, 40 / drawn.length));
    const { accent, muted } = drawing.colours;
    for (const { trial, pixels } of drawn) drawCurve(drawing, pixels, 1, trial.state === 'RUNNING' ? accent : muted, alpha);
    if (byTrial) drawBestSoFar(drawing, drawn, search.mode);
  }

  function drawMarked(drawing: Drawing): void {
    if (!current) return;
    const { best, selected } = current;
    const { good, text, accent } = drawing.colours;
    const curveFor = (trial: Trial | null): Curve | undefined => drawn.find(curve => curve.trial === trial || curve.trial.id === trial?.id);
    const marked = [[best, good, '★ '], [selected, text, ''], [hovered, accent, '']] as const;
    for (const [trial, colour] of marked) {
      const curve = curveFor(trial);
      if (curve) drawCurve(drawing, curve.pixels, 2.5, colour, 1);
    }
    for (const [trial, colour, sign] of marked) {
      const curve = curveFor(trial);
      if (curve && !(sign === '' && trial === best)) drawName(drawing, curve.pixels, `${sign}trial ${curve.trial.number}`, colour);
    }
  }

  const curveAt = (event: MouseEvent): Curve | null => {
    const frame = area.getBoundingClientRect();
    const nearest = nearestPoint(drawn.map(curve => curve.pixels), event.clientX - frame.left, event.clientY - frame.top, POINTER_RANGE);
    return nearest ? drawn[nearest.line]! : null;
  };
  const hover = (trial: Trial | null): void => {
    if (hovered === trial) return;
    hovered = trial;
    updateReadout();
    chart.redrawOverlay();
  };
  const updateReadout = (): void => {
    const trial = hovered ?? current?.selected;
    const value = trial && trial.points > 0 ? ` · ${current?.search.metric} ${number(scoreOf(trial))} · iteration ${number(trial.iterations)}` : '';
    setText(section.readout, trial ? `Trial ${trial.number}${value}` : HINT);
  };
  /** Through the drawn trials from the best to the worst. */
  const moveSelection = ({ search, selected }: SearchView, step: number): void => {
    const ranked = drawn.map(curve => curve.trial).sort((one, other) => compareScores(one, other, search.mode) || one.number - other.number);
    const place = ranked.findIndex(trial => trial.id === selected?.id);
    const next = ranked[Math.max(0, Math.min(ranked.length - 1, place + step))];
    if (next) select(next.id);
  };
  area.addEventListener('pointermove', event => hover(curveAt(event)?.trial ?? null));
  area.addEventListener('pointerleave', () => hover(null));
  area.addEventListener('click', event => {
    const curve = curveAt(event);
    if (curve) select(curve.trial.id);
  });
  area.addEventListener('keydown', event => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step || !current || event.ctrlKey || event.metaKey || event.altKey) return;
    moveSelection(current, step);
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    node: section.node,
    update(view) {
      const isStale = current?.visible !== view.visible || current.search.metric !== view.search.metric;
      const isMarkedAnew = current?.selected !== view.selected || current.best !== view.best;
      // A trial that is selected but not drawn has to be added.
      const isDrawn = !view.selected || drawn.some(curve => curve.trial === view.selected);
      current = view;
      section.setEmpty(emptyText(view));
      if (isStale || (isMarkedAnew && !isDrawn)) chart.redraw();
      else if (isMarkedAnew) chart.redrawOverlay();
      updateReadout();
    },
    dispose: chart.dispose,
  };
}

function emptyText({ search, visible }: SearchView): string {
  if (!search.metric) return 'The search names no metric, so there are no curves.';
  if (visible.some(trial => trial.points > 0)) return '';
  return `No ${visible.length < search.trials.length ? 'trial shown' : 'trial'} has reported ${search.metric} yet.`;
}

function pointsByTrial(trial: Trial): CurvePoint[] {
  return curveOf(trial).map(([, value]) => [trial.number, value]);
}

/** The best value so far, as steps from trial to trial. */
function drawBestSoFar(drawing: Drawing, curves: Curve[], mode: string): void {
  const steps: number[] = [];
  let best = NaN;
  for (const { points, pixels } of [...curves].sort((one, other) => one.trial.number - other.trial.number)) {
    const value = points[0]?.[1] ?? NaN;
    const y = steps.at(-1);
    if (y !== undefined) steps.push(pixels[0]!, y);
    if (!isBetter(value, best, mode)) continue;
    best = value;
    steps.push(pixels[0]!, pixels[1]!);
  }
  drawing.context.setLineDash([4, 3]);
  drawCurve(drawing, Float32Array.from(steps), 1.5, drawing.colours.good, 1);
  drawing.context.setLineDash([]);
}

/** At the last point that is a number. */
function drawName(drawing: Drawing, pixels: Float32Array, text: string, colour: string): void {
  for (let index = pixels.length - 2; index >= 0; index -= 2) {
    const [x, y] = [pixels[index]!, pixels[index + 1]!];
    if (Number.isNaN(y)) continue;
    const raised = x > drawing.width - 80 ? 11 : 0;
    drawLabel(drawing, text, x + 6, Math.max(8, Math.min(y, drawing.height - MARGINS.bottom) - raised), 'left', colour);
    return;
  }
}
