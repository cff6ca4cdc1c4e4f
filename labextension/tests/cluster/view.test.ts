import { describe, expect, it } from 'vitest';
import clusters from '../../../tests/data/cluster.json';
import { find, root, show, shown } from '../support/page';

describe('the cluster', () => {
  it('shows resources, states and what waits', () => {
    show(clusters['40 nodes']);
    for (const words of ['1188 of 1280', '6.1 of 10 TiB', '20,415 pending node assignment', 'no node has 8 GPUs', '40 nodes, 2 dead']) {
      expect(shown()).toContain(words);
    }
    expect(find<HTMLDetailsElement>('details').open).toBe(false);
  });

  it('keeps the node table as the reader left it', () => {
    const transport = show(clusters['40 nodes']);
    find<HTMLDetailsElement>('details').open = true;
    transport.set({ ...clusters['40 nodes'], nodes: clusters['40 nodes'].nodes.slice(1) });
    expect(find<HTMLDetailsElement>('details').open).toBe(true);
    expect(root.querySelectorAll('.ray-magics-nodes tbody tr').length).toBe(39);
  });

  it('links to a dashboard on the web only', () => {
    const transport = show(clusters.small);
    const link = find<HTMLAnchorElement>('a');
    expect(link.getAttribute('href')).toBe('http://127.0.0.1:8265/');
    expect(link.rel).toContain('noopener');
    for (const dashboard of ['javascript:alert(1)', 'data:text/html,x', '', 'no address']) {
      transport.set({ ...clusters.small, dashboard });
      expect(link.hidden).toBe(true);
      expect(link.hasAttribute('href')).toBe(false);
    }
  });

  it('says in words that there is none, or no longer', () => {
    const transport = show(clusters.none);
    expect(shown()).toContain('No cluster');
    expect(shown()).toContain('%ray_init');
    transport.set(clusters.lost);
    expect(shown()).toContain('Connection lost');
    expect(shown()).toContain('stopped answering 12 s ago');
  });
});
