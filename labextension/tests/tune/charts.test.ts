import { describe, expect, it, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { number } from '../../src/core/format';
import { scaleOf, ticks } from '../../src/core/scale';
import { withCanvas } from '../support/canvas';
import type { FakeSource } from '../support/fake-transport';
import { all, click, many, numbers, pane, press, running, show, shown, withRow } from './search';

describe('the pictures', () => {
  const areas = (): HTMLElement[] => all('.ray-magics-chart-area');
  const point = (node: HTMLElement, type: string, x: number, y: number): boolean =>
    node.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: x, clientY: y, button: 0 }));
  const brush = (x: number, from: number, to: number): void => {
    point(areas()[1]!, 'pointerdown', x, from);
    point(areas()[1]!, 'pointermove', x, to);
    point(areas()[1]!, 'pointerup', x, to);
    vi.advanceTimersByTime(600);
  };
  const setUp = (snapshot: unknown): FakeSource => {
    withCanvas();
    HTMLElement.prototype.setPointerCapture = () => undefined;
    const source = show(snapshot);
    vi.advanceTimersByTime(1000);
    return source;
  };

  it('say how many trials they draw', () => {
    setUp(many(3000));
    expect(shown()).toContain('500 of 3,000 trials drawn');
    expect(areas()[0]!.getAttribute('aria-label')).toContain('loss over iterations');
  });

  it('go by trial where each reports once', () => {
    setUp(searches['one report each']);
    expect(areas()[0]!.getAttribute('aria-label')).toContain('loss of each trial');
  });

  it('are drawn twice a second at most, and only for news', () => {
    const { strokes } = withCanvas();
    const source = show(running);
    vi.advanceTimersByTime(600);
    const before = strokes();
    vi.advanceTimersByTime(5000);
    expect(strokes()).toBe(before);
    for (let step = 0; step < 10; step += 1) source.set(withRow(6, { seconds: step }));
    vi.advanceTimersByTime(600);
    expect(strokes()).toBeLessThan(2.5 * before);
  });

  it('are not drawn while they cannot be seen', () => {
    const { strokes } = withCanvas(0);
    show(running);
    vi.advanceTimersByTime(2000);
    expect(strokes()).toBe(0);
  });

  it('select a trial by keys', () => {
    setUp(running);
    press(areas()[0]!, 'ArrowDown');
    expect(pane().textContent).toContain('Trial 3');
    press(areas()[0]!, 'ArrowDown');
    expect(pane().textContent).toContain('Trial 0');
  });

  it('filter by brushes, all of which must hold, and say how to be rid of them', () => {
    setUp(running);
    brush(26, 30, 120);
    const some = numbers();
    expect(some.length).toBeLessThan(13);
    for (const one of some) expect(running.trials[Number(one)]!.params[0]).toBeGreaterThan(0.005);
    brush(374, 228, 150);
    expect(numbers().length).toBeLessThan(some.length);
    click(all('button').find(node => node.textContent === 'Clear brushes')!);
    expect(numbers().length).toBe(13);
  });

  it('forget the brush of an axis that is clicked', () => {
    setUp(running);
    brush(26, 30, 120);
    brush(26, 60, 60);
    expect(numbers().length).toBe(13);
  });

  it('keep a brush when the axis grows', () => {
    const source = setUp(running);
    brush(26, 31, 120);
    const before = numbers();
    source.set(withRow(1, { params: [9.5, 8, 'sgd', false] }));
    expect(numbers()).toEqual(before.filter(one => one !== '1'));
  });
});

describe('an axis', () => {
  it.each([
    [[0, 1], false, ['0', '0.5', '1']],
    [[0.08, 0.6], false, ['0.2', '0.4', '0.6']],
    [[1e-5, 0.1], true, ['1e-5', '0.0001', '0.001', '0.01', '0.1']],
    [[3], false, ['2.8', '3', '3.2']],
    [[-1, NaN, Infinity, 1], false, ['-1', '0', '1']],
  ] as [number[], boolean, string[]][])('has few round ticks: %j', (values, log, expected) => {
    expect(ticks(scaleOf(values, log)!, 3).map(number)).toEqual(expected);
  });

  it('is none without numbers', () => {
    expect(scaleOf([NaN, Infinity], false)).toBe(null);
    expect(scaleOf([0, -3], true)).toBe(null);
  });

  it('leaves out what a diverging trial has reported, and says so', () => {
    const scale = scaleOf([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1e9], false, true)!;
    expect([scale.hi, scale.beyond]).toEqual([0.6, 1]);
  });
});
