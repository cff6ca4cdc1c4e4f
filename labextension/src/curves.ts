/** The metric over iterations, a line for each trial; over trials, where each reports once. */
import { chart, fit, label, type Brush } from './chart';
import { h, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { count, number, plural } from './format';
import { scaleOf, ticks, type Scale } from './scale';
import { sample, type Scene, type Select } from './scene';
import { curveOf, isBetter, scoreOf, type Point, type Trial } from './tune-status';

const HEIGHT = 240;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 14, 20, 34];
const NEAR = 30;
const HINT = 'Click a curve to select its trial.';

interface Line {
  trial: Trial;
  points: Point[];
  /** Where they are in the picture: x, y, x, y ... */
  places: Float32Array;
}

export function curves(select: Select): Part<Scene> {
  const area = chart(HEIGHT, draw, mark);
  const box = h('input');
  const toggle = h('label', 'toggle', box, 'log scale');
  const note = h('div', 'muted');
  const news = h('div', 'readout');
  const summary = h('summary', 'title', 'Curves');
  const none = h('div', 'empty');
  const picture = h('div', '', h('div', 'chart-head', note, toggle), area.node, news);
  const node = h('details', 'section chart', summary, none, picture);
  box.type = 'checkbox';
  node.open = true;
  for (const one of [summary, box, area.node]) setAttr(one, 'data-lm-suppress-shortcuts', 'true');
  setAttrs(area.node, { tabindex: '0', role: 'group' });
  setAttr(news, 'aria-live', 'polite');
  let scene: Scene | null = null;
  let lines: Line[] = [];
  let single = false;
  let hovered: Trial | null = null;

  function draw(brush: Brush): void {
    if (!scene) return;
    const { tune, best, selected, shown } = scene;
    const trials = sample(shown, [best, selected]).filter(trial => trial.points > 0);
    single = trials.every(trial => trial.points <= 1);
    const all = trials.map(trial => ({ trial, points: single ? lone(trial) : curveOf(trial), places: new Float32Array() }));
    const across = scaleOf(all.flatMap(({ points }) => points.map(([step]) => step)), false);
    const up = scaleOf(all.flatMap(({ points }) => points.map(([, value]) => value)), box.checked, true);
    lines = across && up ? all.map(one => ({ ...one, places: placesOf(one.points, across, up, brush) })) : [];
    const reporting = shown.filter(trial => trial.points > 0).length;
    const missing = reporting > lines.length ? `${count(lines.length)} of ${count(reporting)} trials drawn` : `${count(lines.length)} trials`;
    setText(note, [missing, up?.beyond ? `${count(up.beyond)} ${plural('point', up.beyond)} beyond the edge` : ''].filter(Boolean).join(' · '));
    setAttr(area.node, 'aria-label', `${tune.metric} ${single ? 'of each trial' : 'over iterations'}, ${missing}. Arrow keys select a trial.`);
    if (!across || !up) return;
    axes(brush, across, up, tune.metric, single ? 'trial' : 'iteration');
    const alpha = Math.max(0.15, Math.min(0.6, 40 / lines.length));
    for (const line of lines) plot(brush, line, 1, line.trial.state === 'RUNNING' ? brush.colours.accent : brush.colours.muted, alpha);
    if (single) running(brush, lines, tune.mode);
  }

  function mark(brush: Brush): void {
    if (!scene) return;
    const find = (trial: Trial | null): Line | undefined => lines.find(line => line.trial === trial || line.trial.id === trial?.id);
    const { best, selected } = scene;
    const marked = [[best, brush.colours.good, '★ '], [selected, brush.colours.text, ''], [hovered, brush.colours.accent, '']] as const;
    for (const [trial, colour] of marked) {
      const line = find(trial);
      if (line) plot(brush, line, 2.5, colour, 1);
    }
    for (const [trial, colour, sign] of marked) {
      const line = find(trial);
      if (line && !(sign === '' && trial === best)) tag(brush, line, `${sign}trial ${line.trial.number}`, colour);
    }
  }

  const at = (event: MouseEvent): Line | null => {
    const frame = area.node.getBoundingClientRect();
    return nearest(lines, event.clientX - frame.left, event.clientY - frame.top);
  };
  const hover = (line: Line | null): void => {
    if (hovered === (line?.trial ?? null)) return;
    hovered = line?.trial ?? null;
    tell();
    area.remark();
  };
  const tell = (): void => {
    const trial = hovered ?? scene?.selected;
    const value = trial && trial.points > 0 ? ` · ${scene?.tune.metric} ${number(scoreOf(trial))} · iteration ${number(trial.iterations)}` : '';
    setText(news, trial ? `Trial ${trial.number}${value}` : HINT);
  };
  area.node.addEventListener('pointermove', event => hover(at(event)));
  area.node.addEventListener('pointerleave', () => hover(null));
  area.node.addEventListener('click', event => {
    const line = at(event);
    if (line) select(line.trial.id);
  });
  area.node.addEventListener('keydown', event => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step || !scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const ranked = lines.map(line => line.trial).sort((one, other) => byScore(one, other, scene!.tune.mode));
    const place = ranked.findIndex(trial => trial.id === scene!.selected?.id);
    const next = ranked[Math.max(0, Math.min(ranked.length - 1, place + step))];
    if (next) select(next.id);
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener('change', area.redraw);

  return {
    node,
    paint(next) {
      const words = why(next);
      const stale = scene?.shown !== next.shown || scene.tune.metric !== next.tune.metric;
      const other = scene?.selected !== next.selected || scene.best !== next.best;
      scene = next;
      setLine(none, words);
      show(picture, words === '');
      if (stale) area.redraw();
      // A trial that is selected but not drawn has to be added.
      else if (other) lines.some(line => line.trial === next.selected) || !next.selected ? area.remark() : area.redraw();
      tell();
    },
    dispose: area.dispose,
  };
}

function why({ tune, shown }: Scene): string {
  if (!tune.metric) return 'The search names no metric, so there are no curves.';
  return shown.some(trial => trial.points > 0) ? '' : `No ${shown.length < tune.trials.length ? 'trial shown' : 'trial'} has reported ${tune.metric} yet.`;
}

function lone(trial: Trial): Point[] {
  return curveOf(trial).map(([, value]) => [trial.number, value]);
}

function placesOf(points: Point[], across: Scale, up: Scale, { width, height }: Brush): Float32Array {
  const places = new Float32Array(2 * points.length);
  points.forEach(([step, value], index) => {
    places[2 * index] = LEFT + across.at(step) * (width - LEFT - RIGHT);
    places[2 * index + 1] = height - BOTTOM - up.at(value) * (height - TOP - BOTTOM);
  });
  return places;
}

function plot({ context, width, height }: Brush, { places }: Line, thick: number, colour: string, alpha: number): void {
  context.save();
  context.beginPath();
  context.rect(LEFT - 4, 0, width - LEFT, height - BOTTOM + 4);
  context.clip();
  context.globalAlpha = alpha;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = thick;
  context.lineJoin = 'round';
  context.beginPath();
  let drawing = false;
  for (let index = 0; index < places.length; index += 2) {
    const [x, y] = [places[index]!, Math.max(-1e6, Math.min(1e6, places[index + 1]!))];
    if (Number.isNaN(y)) drawing = false;
    else if (drawing) context.lineTo(x, y);
    else context.moveTo(x, y);
    drawing = !Number.isNaN(y);
  }
  context.stroke();
  if (places.length === 2) dot(context, places[0]!, places[1]!, thick + 1.5);
  context.restore();
}

function dot(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** The best so far, as steps from trial to trial. */
function running(brush: Brush, lines: Line[], mode: string): void {
  const steps: number[] = [];
  let best = NaN;
  for (const { points, places } of [...lines].sort((one, other) => one.trial.number - other.trial.number)) {
    const value = points[0]?.[1] ?? NaN;
    const y = steps.at(-1);
    if (y !== undefined) steps.push(places[0]!, y);
    if (!isBetter(value, best, mode)) continue;
    best = value;
    steps.push(places[0]!, places[1]!);
  }
  brush.context.setLineDash([4, 3]);
  plot(brush, { places: Float32Array.from(steps) } as Line, 1.5, brush.colours.good, 1);
  brush.context.setLineDash([]);
}

function tag(brush: Brush, { places }: Line, text: string, colour: string): void {
  for (let index = places.length - 2; index >= 0; index -= 2) {
    const y = places[index + 1]!;
    if (Number.isNaN(y)) continue;
    const above = places[index]! > brush.width - 80 ? 11 : 0;
    label(brush, text, places[index]! + 6, Math.max(8, Math.min(y, brush.height - BOTTOM) - above), 'left', colour);
    return;
  }
}

function axes(brush: Brush, across: Scale, up: Scale, metric: string, over: string): void {
  const { context, width, height, colours } = brush;
  const place = (value: number): number => height - BOTTOM - up.at(value) * (height - TOP - BOTTOM);
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  for (const value of ticks(up, 4)) {
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(LEFT, Math.round(place(value)) + 0.5);
    context.lineTo(width - RIGHT, Math.round(place(value)) + 0.5);
    context.stroke();
    label(brush, number(value), LEFT - 6, place(value), 'right');
  }
  for (const value of ticks(across, Math.max(2, width / 110)).filter(Number.isInteger)) {
    label(brush, number(value), LEFT + across.at(value) * (width - LEFT - RIGHT), height - BOTTOM + 11, 'center');
  }
  label(brush, fit(context, metric, width / 2), 2, 6);
  label(brush, over, width - RIGHT, height - 7, 'right');
}

function byScore(one: Trial, other: Trial, mode: string): number {
  const [first, second] = [scoreOf(one), scoreOf(other)];
  return isBetter(first, second, mode) ? -1 : isBetter(second, first, mode) ? 1 : one.number - other.number;
}

function nearest(lines: Line[], x: number, y: number): Line | null {
  let found: Line | null = null;
  let least = NEAR * NEAR;
  for (const line of lines) {
    const { places } = line;
    for (let index = 0; index < places.length; index += 2) {
      const far = (places[index]! - x) ** 2 + (places[index + 1]! - y) ** 2;
      if (far < least) [found, least] = [line, far];
    }
  }
  return found;
}
