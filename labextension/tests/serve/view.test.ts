import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import served from '../../../tests/data/serve.json';
import { keyed } from '../../src/core/dom';
import { layOut } from '../../src/serve/format-json';
import { mount } from '../../src/view';
import widget from '../../src/widget';
import { FakeSource } from '../support/fake-transport';

type Row = Record<string, unknown>;
const running = served.running;
const app = running.apps[0]!;
const withApp = (more: Row): Row => ({ ...running, apps: [{ ...app, ...more }] });
const withAnswer = (more: Row): Row => withApp({ answer: { ...served.answered.apps[0]!.answer, ...more } });

let root: HTMLElement;
let end = (): void => undefined;

beforeEach(() => {
  vi.useFakeTimers();
  root = document.createElement('div');
  document.body.append(root);
});

afterEach(() => {
  end();
  root.remove();
  vi.useRealTimers();
});

function show(snapshot: unknown): FakeSource {
  const source = new FakeSource(snapshot);
  end = mount(root, source);
  return source;
}

const find = <T extends HTMLElement>(selector: string): T => root.querySelector<T>(selector)!;
const all = (selector: string): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(selector)];
const field = <T extends HTMLElement = HTMLInputElement>(label: string): T => find<T>(`[aria-label="${label}"]`);
const button = (words: string): HTMLElement => all('button').find(node => node.textContent!.startsWith(words) && !node.hidden)!;
const message = (): string => find('.ray-magics-try > .ray-magics-message').textContent ?? '';
const shown = (): string => {
  const copy = root.cloneNode(true) as HTMLElement;
  copy.querySelectorAll('[hidden], .ray-magics-unseen').forEach(node => node.remove());
  return copy.textContent ?? '';
};
const type = (label: string, value: string): void => {
  field(label).value = value;
  field(label).dispatchEvent(new Event('input', { bubbles: true }));
};
const choose = (label: string, value: string): void => {
  field(label).value = value;
  field(label).dispatchEvent(new Event('change', { bubbles: true }));
};
const submit = (): boolean => find('form').dispatchEvent(new Event('submit', { cancelable: true }));

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
    const source = show({});
    for (const [, snapshot] of [...examples, ...examples.reverse()]) source.set(snapshot);
    expect(root.children.length).toBe(1);
  });

  it('leaves nothing behind', () => {
    const source = show(running);
    submit();
    end();
    expect(root.children.length).toBe(0);
    expect(source.watched).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a broken snapshot', () => {
  const odd: unknown[] = [undefined, null, 7, 'x', [], {}, true, NaN, [[]], { tail: 3 }, -1, 1e300, [null, {}, 4], [[1, 2], ['x']]];
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
    const source = show(served.answered);
    all('button[aria-expanded]').forEach(node => node.click());
    for (const key of Object.keys(part)) {
      for (const value of odd) if (key !== 'kind') source.set(place({ [key]: value }));
    }
    expect(shown()).not.toBe('');
  });
});

describe('the head', () => {
  it('is that of a run, with Stop while the deployment is under way', () => {
    const source = show(served.first);
    button('Stop').click();
    expect(source.sent).toEqual([{ action: 'stop', run: '9' }]);
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
    const source = show(served.broken);
    expect(shown()).toContain("FileNotFoundError: [Errno 2] No such file or directory: 'digits.joblib'");
    source.set({ ...served.broken, error: served.broken.apps[0]!.deployments[0]!.message });
    expect(shown().split('did not start').length + shown().split('step_13').length).toBe(4);
  });

  it('shows its replicas and their logs when they are unfolded, and keeps them so', () => {
    const source = show(running);
    expect(shown()).not.toContain('k3x9ab');
    button('Classifier').click();
    expect(shown()).toContain('127.0.0.1, pid 4711');
    expect(shown()).toContain('3 of 100 ongoing');
    button('Log').click();
    source.set(served.updating);
    expect(shown()).toContain('64 pixels expected');
    expect(shown()).toContain('40 earlier lines not shown');
    expect(button('Classifier').getAttribute('aria-expanded')).toBe('true');
  });
});

describe('the box to try it', () => {
  it('sends what was typed, and nothing but that', () => {
    const source = show(running);
    type('Body', '{"pixels": [1.5]}');
    submit();
    expect(source.sent).toEqual([
      { action: 'try', run: 'serve', part: 'digits', request: { method: 'POST', path: '/digits/predict', body: '{"pixels": [1.5]}', type: 'application/json' } },
    ]);
    expect(button('Sending…').getAttribute('aria-disabled')).toBe('true');
    submit();
    expect(source.sent.length).toBe(1);
  });

  it('reaches the kernel as it is', () => {
    const sendControlMessage = vi.fn((_message: { content: unknown }) => ({ done: Promise.resolve({ content: { status: 'ok' } }) }));
    const model = { get: () => running, on: vi.fn(), off: vi.fn(), send: vi.fn(), widget_manager: { kernel: { clientId: 'me', username: 'you', sendControlMessage } } };
    end = widget.render({ model: model as never, el: root });
    submit();
    expect(sendControlMessage.mock.calls[0]![0].content).toEqual({
      action: 'try', run: 'serve', part: 'digits', request: { method: 'POST', path: '/digits/predict', body: '{"pixels": [0.0]}', type: 'application/json' },
    });
  });

  it('names the application as the kernel does, not as it is shown', () => {
    const source = show(withApp({ name: 'a\u202eb' }));
    submit();
    expect(source.sent[0]!.part).toBe('a\u202eb');
  });

  it.each(['GET', 'DELETE'])('has no body for %s', method => {
    const source = show(running);
    expect(field('Body').hidden).toBe(false);
    choose('Method', method);
    expect(field('Body').hidden).toBe(true);
    submit();
    expect(source.sent[0]!.request).toMatchObject({ method, body: '' });
  });

  it('keeps what is typed, and the focus, through any number of snapshots', () => {
    const source = show(running);
    const body = field<HTMLTextAreaElement>('Body');
    body.focus();
    type('Body', 'half a');
    body.setSelectionRange(2, 4);
    for (const snapshot of [served.updating, served.answered, withApp({ calls: [{ method: 'GET', path: '/other', body: '' }] })]) source.set(snapshot);
    expect(field('Body')).toBe(body);
    expect([body.value, body.selectionStart, body.selectionEnd]).toEqual(['half a', 2, 4]);
    expect(document.activeElement).toBe(body);
    expect(field('Path').value).toBe('/digits/predict');
  });

  it('takes what may be tried as soon as it is known, where nothing was typed', () => {
    const source = show(withApp({ calls: [] }));
    expect([field('Method').value, field('Path').value]).toEqual(['GET', '/digits']);
    source.set(running);
    expect([field('Method').value, field('Path').value]).toEqual(['POST', '/digits/predict']);
  });

  it('fills in an example that is chosen', () => {
    show(running);
    choose('Example requests', '1');
    expect([field('Method').value, field('Path').value, field('Body').hidden]).toEqual(['GET', '/digits/health', true]);
    type('Path', '/digits/x');
    expect(field('Example requests').value).toBe('');
  });

  it('offers no choice of one', () => {
    show(served.first);
    expect(field('Example requests').hidden).toBe(true);
  });

  it.each([
    ['a path without a slash', 'Path', 'digits', 'begins with a slash'],
    ['a body that is too long', 'Body', 'x'.repeat(100_001), '100000 are the most'],
  ])('does not send %s', (_, label, value, words) => {
    const source = show(running);
    type(label, value);
    submit();
    expect(source.sent).toEqual([]);
    expect(message()).toContain(words);
  });

  it('is not there where an application has no route', () => {
    show(withApp({ route: '', url: '', calls: [] }));
    expect(shown()).not.toContain('Try it');
    expect(shown()).toContain('not reachable by HTTP');
  });

  it('says what the kernel refuses', async () => {
    const source = show(running);
    source.answer = () => Promise.resolve({ status: 'error', message: 'Serve is not running.' });
    submit();
    await vi.advanceTimersByTimeAsync(0);
    expect(message()).toBe('Serve is not running.');
    expect(button('Send').getAttribute('aria-disabled')).toBe(null);
  });

  it('says that the kernel is busy, until the answer comes', async () => {
    const source = show(running);
    source.answer = () => Promise.resolve({ status: 'queued' });
    submit();
    await vi.advanceTimersByTimeAsync(3100);
    expect(message()).toContain('queued');
    source.set(served.asked);
    expect(message()).toBe('');
  });
});

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
    const source = show(withAnswer({ type: 'text/plain', body, cut: 2048 }));
    expect(pre().split('\n').length).toBe(20);
    expect(shown()).toContain('2 KiB more not shown');
    button('Show all 30 lines').click();
    source.set(withAnswer({ type: 'text/plain', body, cut: 2048 }));
    expect(pre().split('\n').length).toBe(30);
    source.set(withAnswer({ type: 'text/plain', body, number: 2 }));
    expect(pre().split('\n').length).toBe(20);
  });

  it('is announced when it comes, but not the one that was there already', () => {
    const source = show(served.answered);
    const news = (): string => find('[aria-live=polite]:not(.ray-magics-card > *)').textContent ?? '';
    expect(news()).toBe('');
    source.set(withAnswer({ number: 2, body: '{"digit":1}' }));
    expect(news()).toContain('200 · 12 ms · application/json {"digit":1}');
  });
});

describe('JSON', () => {
  it.each([
    ['{"b":1,"1":[]}', '{"b": 1, "1": []}'],
    ['12345678901234567890', '12345678901234567890'],
    ['{"a":{"b":1e400}}', '{\n  "a": {"b": 1e400}\n}'],
    ['"a\\"{,}"', '"a\\"{,}"'],
    ['["[]"]', '["[]"]'],
  ])('keeps every digit, key and string: %s', (text, drawn) => {
    expect(layOut(text)).toBe(drawn);
  });

  it.each(['', '{', 'x', '[1,]', '['.repeat(50_000)])('is told from what is none: %.20s', text => {
    expect(layOut(text)).toBe(null);
  });

  it('stays as it came where it is nested too deeply, and is quick where it looks so', () => {
    expect(layOut('['.repeat(5000) + ']'.repeat(5000))).toBe(null);
    const text = JSON.stringify(['['.repeat(90_000)]);
    expect(layOut(text)).toContain('[');
  });
});

it('moves only what has moved, for the rest would lose focus and scroll position', () => {
  const list = keyed<string>(root, name => name, name => ({ node: document.createElement(name), paint: () => undefined }));
  const moves = vi.spyOn(root, 'insertBefore');
  list.paint(['a', 'b', 'i']);
  moves.mockClear();
  list.paint(['b', 'i', 'a']);
  expect([...root.children].map(node => node.tagName)).toEqual(['B', 'I', 'A']);
  expect(moves).not.toHaveBeenCalled();
});
