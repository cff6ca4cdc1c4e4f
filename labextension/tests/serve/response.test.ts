import { describe, expect, it } from 'vitest';
import served from '../../../tests/data/serve.json';
import { find, show, shown } from '../support/page';
import { button, withAnswer } from './served';

describe('an answer', () => {
  const pre = (): string => find('pre[aria-label="Body of the answer"]').textContent ?? '';

  it.each([
    ['asked', served.asked, 'POST /digits/predict · asked, no answer yet'],
    ['answered', served.answered, 'POST /digits/predict · 200 · 12 ms · application/json'],
    ['an error of the application', served.answered_error, 'POST /digits/predict · 500 · 31 ms · text/plainInternal Server Error'],
    ['failed', served.failed_answer, 'POST /digits/predict · failedNo answer within 60 s.'],
  ])('is told: %s', (_, snapshot, words) => {
    show(snapshot);
    expect(shown()).toContain(words);
  });

  it('is laid out where it is JSON', () => {
    show(served.answered);
    expect(pre()).toBe('{\n  "digit": 7,\n  "probabilities": [0.01, 0.0, 0.02, 0.01, 0.0, 0.0, 0.0, 0.94, 0.01, 0.01]\n}');
  });

  it('is text where it is not', () => {
    show(withAnswer({ type: 'text/html', body: '<b>{"a":1}</b>' }));
    expect(pre()).toBe('<b>{"a":1}</b>');
    expect(find('pre').querySelector('b')).toBe(null);
  });

  it('is folded above 20 lines, and stays unfolded until the next', () => {
    const body = Array.from({ length: 30 }, (_, index) => `line ${index}`).join('\n');
    const transport = show(withAnswer({ type: 'text/plain', body, cut: 2048 }));
    expect(pre().split('\n').length).toBe(20);
    expect(shown()).toContain('2 KiB more not shown');
    button('Show all 30 lines').click();
    transport.set(withAnswer({ type: 'text/plain', body, cut: 2048 }));
    expect(pre().split('\n').length).toBe(30);
    transport.set(withAnswer({ type: 'text/plain', body, number: 2 }));
    expect(pre().split('\n').length).toBe(20);
  });

  it('is announced when it comes, but not the one that was there already', () => {
    const transport = show(served.answered);
    const news = (): string => find('[aria-live=polite]:not(.ray-magics-card > *)').textContent ?? '';
    expect(news()).toBe('');
    transport.set(withAnswer({ number: 2, body: '{"digit":1}' }));
    expect(news()).toContain('200 · 12 ms · application/json {"digit":1}');
  });
});
