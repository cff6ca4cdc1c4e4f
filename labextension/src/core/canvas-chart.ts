/** A canvas that is redrawn rarely, and one above it for what follows the pointer. */
import { h, setAttr } from './dom';

export interface Brush {
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

export interface Chart {
  node: HTMLElement;
  /** Soon, but not twice in half a second, and not while it cannot be seen. */
  redraw(): void;
  /** Only the upper canvas, at once. */
  remark(): void;
  dispose(): void;
}

const PAUSE = 500;

export function chart(height: number, draw: (brush: Brush) => void, mark: (brush: Brush) => void): Chart {
  const [lower, upper] = [h('canvas', 'canvas'), h('canvas', 'canvas')];
  const node = h('div', 'chart-area', lower, upper);
  node.style.height = `${height}px`;
  for (const canvas of [lower, upper]) setAttr(canvas, 'aria-hidden', 'true');
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let inSight = true;
  let waiting = false;

  const brush = (canvas: HTMLCanvasElement): Brush | null => {
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

  const remark = (): void => {
    const area = brush(upper);
    if (area) mark(area);
  };
  const drawNow = (): void => {
    timer = undefined;
    waiting = !inSight || document.hidden || node.clientWidth === 0;
    if (waiting) return;
    last = performance.now();
    const area = brush(lower);
    if (area) draw(area);
    remark();
  };
  const redraw = (): void => {
    timer ??= setTimeout(drawNow, Math.max(0, last + PAUSE - performance.now()));
  };
  const resume = (): void => {
    if (waiting) redraw();
  };

  const ends = [onSize(node, () => { last = -Infinity; redraw(); }), onTheme(redraw), onSight(node, seen => { inSight = seen; resume(); })];
  document.addEventListener('visibilitychange', resume);
  return {
    node,
    redraw,
    remark,
    dispose() {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', resume);
      for (const end of ends) end();
    },
  };
}

function onSize(node: HTMLElement, changed: () => void): () => void {
  const observer = new ResizeObserver(changed);
  observer.observe(node);
  return () => observer.disconnect();
}

function onSight(node: HTMLElement, changed: (seen: boolean) => void): () => void {
  const observer = new IntersectionObserver(entries => changed(entries.at(-1)?.isIntersecting ?? true), { rootMargin: '200px' });
  observer.observe(node);
  return () => observer.disconnect();
}

/** Themes are an attribute of the page's body in JupyterLab and VS Code, else the system's. */
function onTheme(changed: () => void): () => void {
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

/** The canvas knows every way to write a colour, and tells it as #rrggbb. */
function isDark(colour: string, context: CanvasRenderingContext2D): boolean {
  context.fillStyle = '#ffffff';
  context.fillStyle = colour;
  const [, red = 'ff', green = 'ff', blue = 'ff'] = /^#(..)(..)(..)/.exec(String(context.fillStyle)) ?? [];
  return 0.3 * parseInt(red, 16) + 0.6 * parseInt(green, 16) + 0.1 * parseInt(blue, 16) < 128;
}

/** Text with a rim of the background, so that lines do not run through it. */
export function label({ context, colours, width }: Brush, text: string, x: number, y: number, align: CanvasTextAlign = 'left', colour = colours.muted): void {
  context.font = colours.font;
  context.textAlign = align;
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.lineJoin = 'round';
  context.strokeStyle = colours.back;
  context.fillStyle = colour;
  const long = context.measureText(text).width;
  const from = align === 'left' ? Math.max(1, Math.min(x, width - long - 1)) : x;
  context.strokeText(text, from, y);
  context.fillText(text, from, y);
}

/** The text, cut to a width in pixels. */
export function fit(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = Math.min(text.length, Math.ceil(width / 3));
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}
