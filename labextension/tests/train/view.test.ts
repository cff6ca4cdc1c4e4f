import cards from '../../../tests/data/cards.json';
import { describe, expect, it, vi } from 'vitest';
import { withCanvas } from '../support/canvas';
import { all, click, end, find, ODD, root, show, shown } from '../support/page';
import { accuracy, areas, choose, labelled, loss, many, settle, showTraining, training } from './training';

describe('the card that the kernel makes', () => {
  it('shows workers, curves and checkpoints', () => {
    withCanvas();
    show(cards['train running']);
    expect(shown()).toContain('Waits for other ranks, 12 s');
    expect(shown()).toContain('loss0.5');
    expect(shown()).toContain('1 report was NaN or infinite');
    expect(shown()).toContain('checkpoint_b ★');
  });
});

describe('a training', () => {
  it('has a chart for each metric, with its last value', () => {
    showTraining([loss, accuracy]);
    expect(all('.ray-magics-metric-head').map(node => node.textContent)).toEqual(['loss0.25', 'accuracy0.9']);
    expect(areas().map(node => node.getAttribute('aria-label'))).toEqual([
      'loss over steps, last 0.25, least 0.2, most 2.3. Arrow keys read out its points.',
      'accuracy over steps, last 0.9, least 0.1, most 0.9. Arrow keys read out its points.',
    ]);
  });

  it.each([
    ['running', 'Nothing has been reported yet.'],
    ['finished', 'Nothing was reported.'],
  ])('without a report says so while it is %s', (state, text) => {
    showTraining([], { state });
    expect(shown()).toBe(text);
  });

  it.each([
    [1, '1 report was NaN or infinite'],
    [3000, '3,000 reports were NaN or infinite'],
  ])('says how many reports were no number: %d', (unfinite, text) => {
    showTraining([{ ...loss, last: 'NaN', least: null, most: 'Infinity', unfinite }]);
    expect(shown()).toContain(text);
    expect(shown()).toContain('lossNaN');
    expect(shown()).toContain('most Infinity');
  });

  it('shows four metrics and, once they are asked for, the others', () => {
    showTraining(many(6));
    expect(areas().length).toBe(4);
    expect(find('.ray-magics-fold').textContent).toBe('2 more metrics');
    click(find('.ray-magics-fold'));
    expect(areas().length).toBe(6);
    expect(find('.ray-magics-fold').getAttribute('aria-expanded')).toBe('true');
  });

  it('has no disclosure for four metrics', () => {
    showTraining(many(4));
    expect(shown()).not.toContain('more metric');
  });

  it('says how many of very many metrics it leaves out', () => {
    showTraining(many(130));
    click(find('.ray-magics-fold'));
    expect(areas().length).toBe(100);
    expect(shown()).toContain('and 30 more metrics');
  });

  it('leaves nothing behind', () => {
    const transport = show(training([loss, accuracy]));
    end();
    expect(root.children.length).toBe(0);
    expect(transport.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the toolbar', () => {
  it('has a label for each control', () => {
    showTraining([loss]);
    expect(all('input').map(node => node.parentElement!.textContent)).toEqual(['step', 'time', 'log scale', 'each worker']);
    expect(find('[role=radiogroup]').getAttribute('aria-label')).toBe('What the charts are drawn over');
  });

  it('speaks of single workers only where there are several', () => {
    const transport = showTraining([accuracy], { workers: 1 });
    expect(labelled('each worker').hidden).toBe(true);
    transport.set(training([accuracy, loss], { workers: 1 }));
    expect(labelled('each worker').hidden).toBe(false);
    expect(shown()).toContain('thick line is the mean');
  });

  it('changes all charts', () => {
    showTraining([loss, accuracy]);
    choose('time');
    for (const area of areas()) expect(area.getAttribute('aria-label')).toContain('over time');
  });

  it('takes away the lines of single workers', () => {
    const { strokes } = withCanvas();
    showTraining([loss]);
    const before = strokes();
    choose('each worker');
    const without = strokes() - before;
    expect(before - without).toBeGreaterThanOrEqual(2);
    expect(shown()).not.toContain('thick line is the mean');
  });

  it('says what a log scale cannot show', () => {
    const points = [[1, 0.5, 0], [2, 1.1, -3], [3, 1.5, 4]];
    showTraining([{ ...loss, lines: [{ name: '', points }] }]);
    choose('log scale');
    expect(shown()).toContain('2 points not above 0, which a log scale cannot show');
  });
});

describe('charts of a training', () => {
  it('are drawn again only when their row or the toolbar has changed', () => {
    const { strokes } = withCanvas();
    const transport = showTraining([loss, accuracy]);
    const both = strokes();
    transport.set(training([loss, accuracy], { elapsed: 14, reports: 1201 }));
    settle();
    expect(strokes()).toBe(both);
    transport.set(training([loss, { ...accuracy }]));
    settle();
    const single = strokes() - both;
    expect(single).toBeGreaterThan(0);
    choose('log scale');
    expect(strokes() - both - single).toBeGreaterThan(single);
  });

  it('are not drawn while they are folded', () => {
    const { strokes } = withCanvas();
    const transport = showTraining(many(6));
    click(find('.ray-magics-fold'));
    settle();
    click(find('.ray-magics-fold'));
    const before = strokes();
    transport.set(training([...many(6).map((row, index) => (index < 4 ? { ...row, lines: [] } : { ...row }))]));
    settle();
    expect(strokes()).toBe(before);
  });
});

describe('a training that is foreign', () => {
  const hostile = '<img src=x onerror=alert(1)>\u001b[31m\u202e';

  it('is drawn without markup of its own, and shortly', () => {
    withCanvas();
    showTraining([{ ...loss, id: hostile.repeat(50), lines: [{ name: hostile, points: [[1, 1, 1]] }] }]);
    expect(root.querySelectorAll('script, img, [onerror]').length).toBe(0);
    expect(root.innerHTML).not.toMatch(/[\u001b\u202e]/);
    expect(find('.ray-magics-metric-name').textContent!.length).toBeLessThan(250);
  });

  it('never throws, whatever its fields are', () => {
    withCanvas();
    const transport = showTraining([loss, accuracy]);
    for (const value of ODD) {
      transport.set(training(value));
      for (const key of ['state', 'elapsed', 'workers']) transport.set(training([loss], { [key]: value }));
      for (const key of Object.keys(loss)) transport.set(training([{ ...loss, [key]: value }, value]));
      for (const key of ['name', 'points']) transport.set(training([{ ...loss, lines: [{ ...(loss.lines as object[])[0], [key]: value }, value] }]));
      transport.set(training([{ ...loss, lines: [{ name: 'mean', points: [value, [1, value, value], [value, 2, 3]] }] }]));
      settle();
      choose('time');
      choose('log scale');
    }
    transport.set(training([loss]));
    expect(shown()).toContain('loss0.25');
  });
});
