import { describe, expect, it } from 'vitest';
import runs from '../../../tests/data/run.json';
import tables from '../../../tests/data/runs.json';
import { find, root, show, shown } from '../support/page';

describe('the runs', () => {
  it('say the number by which %ray_stop and %ray_logs know them', () => {
    show({ kind: 'runs', runs: [{ ...runs.running, id: '17' }] });
    expect(find('tbody td').textContent).toBe('17');
  });

  it('are a table with a word for each state', () => {
    show(tables['one of each']);
    for (const words of ['Pending', 'Running', 'Stopping', 'Finished', 'Failed', 'Cancelled', '120 of 1,797 items, 2 failed']) {
      expect(shown()).toContain(words);
    }
  });

  it('say what to type when there are none', () => {
    show(tables.empty);
    expect(shown()).toContain('Nothing has run yet.');
    expect(shown()).toContain('%%ray_remote');
  });

  it('keep their rows when a new one comes first', () => {
    const [first, ...rest] = tables['one of each'].runs;
    const transport = show({ kind: 'runs', runs: rest });
    const before = [...root.querySelectorAll('tbody tr')];
    transport.set({ kind: 'runs', runs: [first, ...rest] });
    expect([...root.querySelectorAll('tbody tr')].slice(1)).toEqual(before);
  });
});
