/** A chart of two canvases: one that is redrawn rarely, and an overlay for what follows the pointer. */
import { h, setAttr } from './dom';

/** What a chart is drawn with; sizes are in CSS pixels. */
export interface Drawing {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
  colours: Colours;
}

export interface Colours {
  text: string;
  muted: string;
  back: string;
  line: string;
  accent: string;
  good: string;
  wrong: string;
  dark: boolean;
  font: string;
}

export interface CanvasChart {
  node: HTMLElement;
  /** Soon, but not twice in half a second, and not while it cannot be seen. */
  redraw(): void;
  /** At once. */
  redrawOverlay(): void;
  dispose(): void;
}

const MIN_INTERVAL = 500; // milliseconds between two drawings
const WHILE_HIDDEN = 100; // milliseconds until it is seen again whether the page has a width
const AFTER_FRAME = 25; // milliseconds until a drawing begins, so that text and tables are on the page before it

export function canvasChart(height: number, draw: (drawing: Drawing) => void, drawOverlay: (drawing: Drawing) => void): CanvasChart {
  const [base, overlay] = [h('canvas', 'canvas'), h('canvas', 'canvas')];
  const node = h('div', 'chart-area', base, overlay);
  node.style.height = `${height}px`;
  for (const canvas of [base, overlay]) setAttr(canvas, 'aria-hidden', 'true');
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let inSight = true;
  let postponed = false;

  const clear = (canvas: HTMLCanvasElement): Drawing | null => {
    const [width, ratio] = [node.clientWidth, window.devicePixelRatio || 1];
    const context = width > 0 ? canvas.getContext('2d') : null;
    if (!context) return null;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across) canvas.width = across;
    if (canvas.height !== down) canvas.height = down;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height, colours: coloursOf(node, context) };
  };

  const redrawOverlay = (): void => {
    const drawing = clear(overlay);
    if (drawing) drawOverlay(drawing);
  };
  const drawNow = (): void => {
    timer = undefined;
    postponed = !inSight || document.hidden || node.clientWidth === 0;
    // JupyterLab hides itself for a frame when its theme changes, which no observer of size or sight tells.
    if (postponed && inSight && !document.hidden && node.isConnected) timer = setTimeout(drawNow, WHILE_HIDDEN);
    if (postponed) return;
    last = performance.now();
    const drawing = clear(base);
    if (drawing) draw(drawing);
    redrawOverlay();
  };
  const redraw = (): void => {
    timer ??= setTimeout(drawNow, Math.max(AFTER_FRAME, last + MIN_INTERVAL - performance.now()));
  };
  const drawPostponed = (): void => {
    if (postponed) redraw();
  };

  const unsubscribe = [
    onResize(node, () => {
      last = -Infinity;
      redraw();
    }),
    onThemeChange(redraw),
    onVisibilityChange(node, visible => {
      inSight = visible;
      drawPostponed();
    }),
  ];
  document.addEventListener('visibilitychange', drawPostponed);
  return {
    node,
    redraw,
    redrawOverlay,
    dispose() {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', drawPostponed);
      for (const end of unsubscribe) end();
    },
  };
}

function onResize(node: HTMLElement, changed: () => void): () => void {
  const observer = new ResizeObserver(changed);
  observer.observe(node);
  return () => observer.disconnect();
}

function onVisibilityChange(node: HTMLElement, changed: (visible: boolean) => void): () => void {
  const observer = new IntersectionObserver(entries => changed(entries.at(-1)?.isIntersecting ?? true), { rootMargin: '200px' });
  observer.observe(node);
  return () => observer.disconnect();
}

/** Themes are an attribute of the page's body in JupyterLab and VS Code, else the system's. */
function onThemeChange(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-jp-theme-name', 'data-vscode-theme-id'] });
  scheme.addEventListener('change', changed);
  return () => {
    observer.disconnect();
    scheme.removeEventListener('change', changed);
  };
}

function coloursOf(node: HTMLElement, context: CanvasRenderingContext2D): Colours {
  const style = getComputedStyle(node);
  const read = (name: string, otherwise: string): string => style.getPropertyValue(`--ray-magics-${name}`).trim() || otherwise;
  const back = read('back', '#fff');
  return {
    text: read('text', '#000'),
    muted: read('muted', '#666'),
    back,
    line: read('line', '#ddd'),
    accent: read('accent', '#1976d2'),
    good: read('good', '#2e7d32'),
    wrong: read('wrong', '#c62828'),
    dark: isDark(back, context),
    font: `11px ${read('sans', 'sans-serif')}`,
  };
}

/** The canvas understands every way to write a colour, and gives it back as #rrggbb. */
function isDark(colour: string, context: CanvasRenderingContext2D): boolean {
  context.fillStyle = '#ffffff';
  context.fillStyle = colour;
  const [, red = 'ff', green = 'ff', blue = 'ff'] = /^#(..)(..)(..)/.exec(String(context.fillStyle)) ?? [];
  return 0.3 * parseInt(red, 16) + 0.6 * parseInt(green, 16) + 0.1 * parseInt(blue, 16) < 128;
}

/** Text with an outline in the background's colour, so that lines do not run through it. */
export function drawLabel({ context, colours, width }: Drawing, text: string, x: number, y: number, align: CanvasTextAlign = 'left', colour = colours.muted): void {
  context.font = colours.font;
  context.textAlign = align;
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.lineJoin = 'round';
  context.strokeStyle = colours.back;
  context.fillStyle = colour;
  const left = align === 'left' ? Math.max(1, Math.min(x, width - context.measureText(text).width - 1)) : x;
  context.strokeText(text, left, y);
  context.fillText(text, left, y);
}

/** The same on a plate, for where many lines cross. */
export function drawPlatedLabel(drawing: Drawing, text: string, x: number, y: number, align: CanvasTextAlign, colour: string): void {
  const { context, colours } = drawing;
  context.font = colours.font;
  const width = context.measureText(text).width;
  const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
  context.globalAlpha = 0.85;
  context.fillStyle = colours.back;
  context.fillRect(left - 3, y - 8, width + 6, 16);
  context.globalAlpha = 1;
  drawLabel(drawing, text, x, y, align, colour);
}

/** A line through points x, y, x, y ...; it is broken where a y is NaN. */
export function strokeLine(context: CanvasRenderingContext2D, points: ArrayLike<number>): void {
  let drawing = false;
  context.lineJoin = 'round';
  context.beginPath();
  for (let index = 0; index < points.length; index += 2) {
    // Canvases draw nothing at all where a coordinate is infinite or too large.
    const [x, y] = [points[index]!, Math.max(-1e6, Math.min(1e6, points[index + 1]!))];
    if (Number.isNaN(y)) drawing = false;
    else if (drawing) context.lineTo(x, y);
    else context.moveTo(x, y);
    drawing = !Number.isNaN(y);
  }
  context.stroke();
}

/** The text, cut to a width in pixels. */
export function fitText(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = Math.min(text.length, Math.ceil(width / 3));
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}
