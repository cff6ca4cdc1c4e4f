import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import lineView, { type LineModel } from '../../src/tune/line-view';

interface Cell {
  getId(): string;
}

let el: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers();
  el = document.createElement('div');
  document.body.append(el);
});

afterEach(() => {
  el.remove();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function show(cells?: string[], cell = 'b') {
  const traits = { line: '%ray_tune train --space lr=0.1', text: '%ray_tune train\n--space lr=0.1', note: '', cell };
  const listeners: (() => void)[] = [];
  const insertCell = vi.fn();
  const sharedModel = cells && { cells: cells.map((id): Cell => ({ getId: () => id })), insertCell };
  const off = vi.fn();
  const model: LineModel = {
    get: trait => traits[trait],
    on: (_, listener) => void listeners.push(listener),
    off,
    widget_manager: { context: { model: { sharedModel } } },
  };
  const end = lineView.render({ model, el });
  return { traits, listeners, insertCell, off, end };
}

const button = (label: string): HTMLButtonElement | undefined => [...el.querySelectorAll('button')].find(node => node.textContent === label);
const status = (): string => el.querySelector('[role=status]')!.textContent ?? '';
const clipboard = (writeText: (text: string) => Promise<void>): void => {
  vi.spyOn(navigator, 'clipboard', 'get').mockReturnValue({ writeText } as never);
};

describe('the line of a form', () => {
  it('is drawn anew when it changes, and does not break an option behind its hyphens', () => {
    const { traits, listeners } = show();
    expect(el.querySelector('pre')!.textContent).toBe('%ray_tune train --space lr=0.1');
    expect(el.querySelector('pre span')!.textContent).toBe('--space');
    traits.line = '%ray_tune <b>other</b>';
    listeners.forEach(listener => listener());
    expect(el.querySelector('pre')!.textContent).toBe('%ray_tune <b>other</b>');
    expect(el.querySelector('b')).toBe(null);
  });

  it('says what is not in it yet', () => {
    const { traits, listeners } = show();
    const note = el.querySelector<HTMLElement>('.ray-magics-form-hint')!;
    expect(note.hidden).toBe(true);
    traits.note = 'Not in it yet: lr; what it needs stands above.';
    listeners.forEach(listener => listener());
    expect(note.hidden).toBe(false);
    expect(note.textContent).toBe(traits.note);
  });

  it('is copied as text, and says so for a while', async () => {
    const writeText = vi.fn(() => Promise.resolve());
    clipboard(writeText);
    show();
    button('Copy')!.click();
    await vi.advanceTimersByTimeAsync(0);
    expect(writeText).toHaveBeenCalledExactlyOnceWith('%ray_tune train\n--space lr=0.1');
    expect(status()).toBe('Copied');
    await vi.advanceTimersByTimeAsync(4000);
    expect(status()).toBe('');
  });

  it.each([
    [true, 'Copied'],
    [false, 'The browser does not let this page copy; select the line instead.'],
  ])('is copied by a selected field where the clipboard is refused: %s', async (copies, text) => {
    clipboard(() => Promise.reject(new Error('no')));
    document.execCommand = vi.fn(() => copies);
    show();
    button('Copy')!.click();
    await vi.advanceTimersByTimeAsync(0);
    expect(status()).toBe(text);
    expect(el.querySelector('textarea')).toBe(null);
  });

  it.each([
    ['b', 2, 'Inserted below'],
    ['gone', 3, 'Inserted at the end'],
  ])('is inserted as a cell below the one of the form: %s', (cell, index, text) => {
    const { insertCell } = show(['a', 'b', 'c'], cell);
    button('Insert as a cell')!.click();
    expect(insertCell).toHaveBeenCalledExactlyOnceWith(index, { cell_type: 'code', source: '%ray_tune train\n--space lr=0.1', metadata: {} });
    expect(status()).toBe(text);
  });

  it('offers no cell where the page has no notebook document', () => {
    show();
    expect(button('Insert as a cell')).toBe(undefined);
  });

  it('ends with its view', () => {
    const { end, listeners, off } = show();
    end();
    expect(off).toHaveBeenCalledWith('change:line', listeners[0]);
  });
});
