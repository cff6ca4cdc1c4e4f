import { describe, expect, it } from 'vitest';
import served from '../../../tests/data/serve.json';
import { all, find, show, shown } from '../support/page';
import { button, running, withApp } from './served';

describe('an application', () => {
  it('says where it is and how it does', () => {
    show(running);
    for (const words of ['Running', 'deployed 34 s ago', 'Requests/s12.3', 'p958 ms', 'Errors1%', 'Requests1,234', 'ends with this kernel']) {
      expect(shown()).toContain(words);
    }
    expect(all('a').map(link => [link.getAttribute('href'), link.getAttribute('rel'), link.getAttribute('target')])).toEqual([
      ['http://127.0.0.1:8000/digits', 'noopener noreferrer', '_blank'],
      ['http://127.0.0.1:8000/digits/docs', 'noopener noreferrer', '_blank'],
    ]);
    expect(find('svg[role=img]').getAttribute('aria-label')).toBe('Requests a second in the last 1 min 00 s, at most 13');
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', '//host/x', ' javascript:alert(1)', 'file:///etc/passwd'])('never links to %s', url => {
    show(withApp({ url, docs: url }));
    expect(all('a[href]')).toEqual([]);
    expect(shown()).toContain(url);
  });

  it('tells its deployments', () => {
    show(running);
    const cells = (row: number): (string | null)[] => [...find('table').querySelectorAll(`tbody:nth-of-type(${row}) > tr:first-child > td`)].map(cell => cell.textContent);
    expect(cells(1)).toEqual(['Classifier ingress', 'Healthy', '2 of 2', '4 of 200', '12.3', '3.2 / 12.1 ms', '1%', '0.1 CPU', '0']);
    expect(cells(2).slice(1)).toEqual(['Healthy', '1 of 1', '1 of 5', '12.3', '0.4 / 1.1 ms', '0%', '1 CPU', '0']);
    expect(find('table').firstElementChild!.tagName).toBe('THEAD');
    expect(shown()).toContain('0 to 3 replicas, 2 ongoing requests each; wants 1: 2 ongoing requests a replica wanted, 1 seen');
  });

  it.each([
    ['updating', served.updating, 'Old and new version serving'],
    ['broken', served.broken, 'The old version goes on serving; the new one did not start.'],
  ])('says which version serves: %s', (_, snapshot, words) => {
    show(snapshot);
    expect(shown()).toContain(words);
  });

  it('says that the old version serves while the new one starts', () => {
    const [one] = served.updating.apps[0]!.deployments;
    const replicas = one!.replicas.filter(replica => !(replica.version === 'new' && replica.state === 'RUNNING'));
    show({ ...served.updating, apps: [{ ...served.updating.apps[0]!, deployments: [{ ...one, replicas }] }] });
    expect(shown()).toContain('Old version serving, new version starting.');
  });

  it('says what Ray says of a failure, but not twice', () => {
    const transport = show(served.broken);
    expect(shown()).toContain("FileNotFoundError: [Errno 2] No such file or directory: 'digits.joblib'");
    transport.set({ ...served.broken, error: served.broken.apps[0]!.deployments[0]!.message });
    expect(shown().split('did not start').length + shown().split('step_13').length).toBe(4);
  });

  it('shows its replicas and their logs when they are unfolded, and keeps them so', () => {
    const transport = show(running);
    expect(shown()).not.toContain('k3x9ab');
    button('Classifier').click();
    expect(shown()).toContain('127.0.0.1, pid 4711');
    expect(shown()).toContain('3 of 100 ongoing');
    button('Log').click();
    transport.set(served.updating);
    expect(shown()).toContain('64 pixels expected');
    expect(shown()).toContain('40 earlier lines not shown');
    expect(button('Classifier').getAttribute('aria-expanded')).toBe('true');
  });
});
