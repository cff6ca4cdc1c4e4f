import { describe, expect, it, vi } from 'vitest';
import searches from '../../../tests/data/tune.json';
import { withCanvas } from '../support/canvas';
import type { FakeTransport } from '../support/fake-transport';
import { all, click, press, show, shown } from '../support/page';
import { many, numbers, pane, running, withRow } from './search';

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
  const setUp = (snapshot: unknown): FakeTransport => {
    withCanvas();
    HTMLElement.prototype.setPointerCapture = () => undefined;
    const transport = show(snapshot);
    vi.advanceTimersByTime(1000);
    return transport;
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
    const transport = show(running);
    vi.advanceTimersByTime(600);
    const before = strokes();
    vi.advanceTimersByTime(5000);
    expect(strokes()).toBe(before);
    for (let step = 0; step < 10; step += 1) transport.set(withRow(6, { seconds: step }));
    vi.advanceTimersByTime(600);
    expect(strokes()).toBeLessThan(2.5 * before);
  });

  it('are not drawn while they cannot be seen', () => {
    const { strokes } = withCanvas(0);
    show(running);
    vi.advanceTimersByTime(2000);
    expect(strokes()).toBe(0);
  });

  it('are drawn soon after the page was hidden for a moment', () => {
    const { strokes } = withCanvas(0);
    show(running);
    vi.advanceTimersByTime(100);
    expect(strokes()).toBe(0);
    vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(400);
    vi.advanceTimersByTime(600);
    expect(strokes()).toBeGreaterThan(0);
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
    const transport = setUp(running);
    brush(26, 37, 120);
    const before = numbers();
    transport.set(withRow(1, { params: [9.5, 8, 'sgd', false] }));
    expect(numbers()).toEqual(before.filter(one => one !== '1'));
  });
});
