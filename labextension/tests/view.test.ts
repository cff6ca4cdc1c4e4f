import { describe, expect, it, vi } from 'vitest';
import clusters from '../../tests/data/cluster.json';
import runs from '../../tests/data/run.json';
import tables from '../../tests/data/runs.json';
import { end, ODD, root, show, shown } from './support/page';

const running = runs.running;

describe('every example', () => {
  const examples = Object.entries({ ...runs, ...clusters, ...tables }) as [string, unknown][];
  const all = [...Object.entries(runs), ...Object.entries(clusters), ...Object.entries(tables)] as [string, unknown][];

  it.each(all)('is drawn without script, image or markup of its own: %s', (_, snapshot) => {
    show(snapshot);
    expect(shown()).not.toBe('');
    expect(root.querySelectorAll('script, img, i, [onerror], [onload]').length).toBe(0);
    for (const link of root.querySelectorAll('a[href]')) expect(link.getAttribute('href')).toMatch(/^https?:/);
    expect(root.innerHTML).not.toMatch(/[\u001b\u202e]/);
  });

  it('may follow any other', () => {
    const transport = show({});
    for (const [, snapshot] of [...examples, ...examples.reverse()]) transport.set(snapshot);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const transport = show(running);
    end();
    expect(root.children.length).toBe(0);
    expect(transport.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a snapshot that is broken', () => {

  it.each(ODD)('is drawn as text: %j', snapshot => {
    show(snapshot);
    expect(shown()).not.toBe('');
  });

  it.each(['run', 'cluster', 'runs', '__proto__', 'constructor'])('never throws: %s', kind => {
    const transport = show({ kind });
    const whole = { ...clusters.small, ...runs['background with output'], kind };
    for (const key of Object.keys(whole)) {
      for (const value of ODD) if (key !== 'kind') transport.set({ ...whole, [key]: value });
    }
    expect(shown()).not.toBe('');
  });
});
