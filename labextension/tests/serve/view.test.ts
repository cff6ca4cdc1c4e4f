import { describe, expect, it, vi } from 'vitest';
import served from '../../../tests/data/serve.json';
import { all, end, ODD, root, type Row, show, shown } from '../support/page';
import { app, button, running, submit, withAnswer, withApp } from './served';

describe('every example of served applications', () => {
  const examples = Object.entries(served) as [string, unknown][];

  it.each(examples)('is drawn without script, image or markup of its own: %s', (_, snapshot) => {
    show(snapshot);
    all('button[aria-expanded]').forEach(node => node.click());
    all('.ray-magics-replicas button').forEach(node => node.click());
    expect(shown()).not.toBe('');
    expect(root.querySelectorAll('script, img, i, [onerror], [onload]').length).toBe(0);
    for (const link of all('a[href]')) expect(link.getAttribute('href')).toMatch(/^https?:/);
    expect(root.innerHTML).not.toMatch(/[\u001b\u202e]/);
  });

  it('may follow any other', () => {
    const transport = show({});
    for (const [, snapshot] of [...examples, ...examples.reverse()]) transport.set(snapshot);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const transport = show(running);
    submit();
    end();
    expect(root.children.length).toBe(0);
    expect(transport.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a broken snapshot', () => {
  const one = app.deployments[0]!;
  const whole = served.answered.apps[0]!;
  const places: [string, object, (more: Row) => Row][] = [
    ['head', running, more => ({ ...running, ...more })],
    ['application', whole, more => withApp(more)],
    ['answer', whole.answer!, more => withAnswer(more)],
    ['deployment', one, more => withApp({ deployments: [{ ...one, ...more }] })],
    ['replica', one.replicas[0]!, more => withApp({ deployments: [{ ...one, replicas: [{ ...one.replicas[0]!, ...more }] }] })],
  ];

  it.each(places)('never throws, whatever the fields of its %s are', (_, part, place) => {
    const transport = show(served.answered);
    all('button[aria-expanded]').forEach(node => node.click());
    for (const key of Object.keys(part)) {
      for (const value of ODD) if (key !== 'kind') transport.set(place({ [key]: value }));
    }
    expect(shown()).not.toBe('');
  });
});

describe('the head', () => {
  it('is that of a run, with Stop while the deployment is under way', () => {
    const transport = show(served.first);
    button('Stop').click();
    expect(transport.sent).toEqual([{ action: 'stop', run: '9' }]);
    expect(shown()).toContain('0 of 1 replica');
  });

  it('is not drawn where there is no run', () => {
    show(served.all);
    expect(shown()).not.toMatch(/Finished|Stop|0 of 0 replicas/);
    for (const name of ['digits', 'embeddings', 'old_chat', 'worker']) expect(shown()).toContain(name);
  });

  it('leaves the error of what has no run in sight', () => {
    show({ ...served.all, note: 'a note', error: 'an error' });
    expect(shown()).toContain('a note');
    expect(shown()).toContain('an error');
  });

  it('gives way to a word on how to serve something', () => {
    show(served.nothing);
    expect(shown()).toBe('Nothing is served here. Begin a cell with %%ray_serve to serve the application that it builds.');
  });

  it('says so when the kernel has left', () => {
    show(running).leave();
    expect(shown()).toContain('The kernel has left');
    expect(button('Send').getAttribute('aria-disabled')).toBe('true');
  });
});
