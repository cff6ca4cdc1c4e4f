/** The part of a chart that has curves in it, and axes at its left and its bottom. */
import { drawLabel, fitText, strokeLine, type Drawing } from './canvas-chart';
import { number } from './format';
import { ticks, type Scale } from './scale';

export interface Margins {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Axis {
  scale: Scale;
  title: string;
  /** Only whole numbers are marked. */
  whole?: boolean;
}

export interface PlotArea {
  /** Where points are in the picture: x, y, x, y ... */
  pixelsOf(points: [x: number, y: number][], x: Scale, y: Scale, drawing: Drawing): Float32Array;
  /** One point alone is drawn as a dot. */
  drawCurve(drawing: Drawing, pixels: Float32Array, lineWidth: number, colour: string, alpha: number): void;
  drawAxes(drawing: Drawing, x: Axis, y: Axis): void;
}

export function plotArea({ left, right, top, bottom }: Margins): PlotArea {
  const toX = (scale: Scale, value: number, { width }: Drawing): number => left + scale.position(value) * (width - left - right);
  const toY = (scale: Scale, value: number, { height }: Drawing): number => height - bottom - scale.position(value) * (height - top - bottom);

  return {
    pixelsOf(points, x, y, drawing) {
      const pixels = new Float32Array(2 * points.length);
      points.forEach(([first, second], index) => {
        pixels[2 * index] = toX(x, first, drawing);
        pixels[2 * index + 1] = toY(y, second, drawing);
      });
      return pixels;
    },
    drawCurve({ context, width, height }, pixels, lineWidth, colour, alpha) {
      context.save();
      context.beginPath();
      context.rect(left - 4, 0, width - left, height - bottom + 4);
      context.clip();
      context.globalAlpha = alpha;
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = lineWidth;
      strokeLine(context, pixels);
      if (pixels.length === 2) {
        context.beginPath();
        context.arc(pixels[0]!, pixels[1]!, lineWidth + 1.5, 0, 2 * Math.PI);
        context.fill();
      }
      context.restore();
    },
    drawAxes(drawing, x, y) {
      const { context, width, height, colours } = drawing;
      for (const value of ticks(y.scale, 4)) {
        const line = toY(y.scale, value, drawing);
        context.strokeStyle = colours.line;
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(left, Math.round(line) + 0.5);
        context.lineTo(width - right, Math.round(line) + 0.5);
        context.stroke();
        drawLabel(drawing, number(value), left - 6, line, 'right');
      }
      for (const value of ticks(x.scale, Math.max(2, width / 110)).filter(value => !x.whole || Number.isInteger(value))) {
        drawLabel(drawing, number(value), toX(x.scale, value, drawing), height - bottom + 11, 'center');
      }
      drawLabel(drawing, fitText(context, y.title, width / 2), 2, 6);
      drawLabel(drawing, x.title, width - right, height - 7, 'right');
    },
  };
}

/** The point nearest to x, y, of lines through points x, y, x, y ...; null where none is within `range` pixels. */
export function nearestPoint(lines: ArrayLike<number>[], x: number, y: number, range: number): { line: number; point: number } | null {
  let nearest: { line: number; point: number } | null = null;
  let least = range ** 2;
  lines.forEach((pixels, line) => {
    for (let index = 0; index < pixels.length; index += 2) {
      const distance = (pixels[index]! - x) ** 2 + (pixels[index + 1]! - y) ** 2;
      if (distance < least) [nearest, least] = [{ line, point: index / 2 }, distance];
    }
  });
  return nearest;
}
