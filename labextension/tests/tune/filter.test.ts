import { describe, expect, it, vi } from 'vitest';
import { find, press, show, shown } from '../support/page';
import { numbers, running, typeFilter } from './search';

describe('the filter', () => {
  it.each([
    ['sgd', ['1', '4', '9', '10']],
    ['adamw lr<0.005', ['7', '11']],
    ['lr > 0.05  loss<=0.3', ['5', '9']],
    ['depth=3', ['0', '7', '12']],
    ['opt!=sgd bias=false', ['5', '8']],
    ['state=failed', ['2']],
    ['state=ERROR', ['2']],
    ['10.0.0.3', ['5', '6']],
    ['trial=11', ['11']],
    ['early', ['1', '4']],
    ['time>30 iterations>=20', ['0', '3']],
  ])('understands %s', (text, expected) => {
    show(running);
    typeFilter(text);
    expect(numbers()).toEqual(expected);
    expect(shown()).toContain(`${expected.length} of 13 trials`);
  });

  it('says what it does not understand, and holds to the rest', () => {
    show(running);
    typeFilter('rate>3 lr>x sgd');
    expect(shown()).toContain('There is no column "rate".');
    expect(shown()).toContain('"lr>" needs a number after it.');
    expect(numbers().length).toBe(4);
  });

  it('says when nothing is left', () => {
    show(running);
    typeFilter('nothing-like-this');
    expect(shown()).toContain('No trial passes the filter.');
    expect(shown()).toContain('0 of 13 trials');
  });

  it('goes by state too, with the numbers of each', () => {
    show(running);
    const states = find<HTMLSelectElement>('select');
    expect(states.textContent).toContain('Stopped early (2)');
    states.value = 'Stopped early';
    states.dispatchEvent(new Event('change'));
    expect(numbers()).toEqual(['1', '4']);
  });

  it('keeps its keys to itself', () => {
    show(running);
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard, { once: true });
    press(find('input[type=search]'), 'd');
    expect(heard).not.toHaveBeenCalled();
    expect(find('input[type=search]').hasAttribute('data-lm-suppress-shortcuts')).toBe(true);
  });

  it('holds for trials that come later', () => {
    const transport = show({ ...running, trials: running.trials.slice(0, 3) });
    typeFilter('sgd');
    transport.set(running);
    expect(numbers()).toEqual(['1', '4', '9', '10']);
  });
});
