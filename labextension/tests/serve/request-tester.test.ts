import { describe, expect, it, vi } from 'vitest';
import served from '../../../tests/data/serve.json';
import widget from '../../src/widget';
import { cardOf } from '../support/cards';
import { root, show, shown } from '../support/page';
import { button, choose, field, message, running, submit, type, withApp } from './served';

describe('the box to try it', () => {
  it('sends what was typed, and nothing but that', () => {
    const transport = show(running);
    type('Body', '{"pixels": [1.5]}');
    submit();
    expect(transport.sent).toEqual([
      { action: 'try', run: 'serve', part: 'digits', request: { method: 'POST', path: '/digits/predict', body: '{"pixels": [1.5]}', type: 'application/json' } },
    ]);
    expect(button('Sending…').getAttribute('aria-disabled')).toBe('true');
    submit();
    expect(transport.sent.length).toBe(1);
  });

  it('reaches the kernel as it is', () => {
    const sendControlMessage = vi.fn((_message: { content: unknown }) => ({ done: Promise.resolve({ content: { status: 'ok' } }) }));
    const model = { get: (trait: string) => (trait === 'rows' ? {} : cardOf(running)), on: vi.fn(), off: vi.fn(), send: vi.fn(), widget_manager: { kernel: { clientId: 'me', username: 'you', sendControlMessage } } };
    const endWidget = widget.render({ model: model as never, el: root });
    submit();
    expect(sendControlMessage.mock.calls[0]![0].content).toEqual({
      action: 'try', run: 'serve', part: 'digits', request: { method: 'POST', path: '/digits/predict', body: '{"pixels": [0.0]}', type: 'application/json' },
    });
    endWidget();
  });

  it('names the application as the kernel does, not as it is shown', () => {
    const transport = show(withApp({ name: 'a\u202eb' }));
    submit();
    expect(transport.sent[0]!.part).toBe('a\u202eb');
  });

  it.each(['GET', 'DELETE'])('has no body for %s', method => {
    const transport = show(running);
    expect(field('Body').hidden).toBe(false);
    choose('Method', method);
    expect(field('Body').hidden).toBe(true);
    submit();
    expect(transport.sent[0]!.request).toMatchObject({ method, body: '' });
  });

  it('keeps what is typed, and the focus, through any number of snapshots', () => {
    const transport = show(running);
    const body = field<HTMLTextAreaElement>('Body');
    body.focus();
    type('Body', 'half a');
    body.setSelectionRange(2, 4);
    for (const snapshot of [served.updating, served.answered, withApp({ calls: [{ method: 'GET', path: '/other', body: '' }] })]) transport.set(snapshot);
    expect(field('Body')).toBe(body);
    expect([body.value, body.selectionStart, body.selectionEnd]).toEqual(['half a', 2, 4]);
    expect(document.activeElement).toBe(body);
    expect(field('Path').value).toBe('/digits/predict');
  });

  it('takes what may be tried as soon as it is known, where nothing was typed', () => {
    const transport = show(withApp({ calls: [] }));
    expect([field('Method').value, field('Path').value]).toEqual(['GET', '/digits']);
    transport.set(running);
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
    const transport = show(running);
    type(label, value);
    submit();
    expect(transport.sent).toEqual([]);
    expect(message()).toContain(words);
  });

  it('is not there where an application has no route', () => {
    show(withApp({ route: '', url: '', calls: [] }));
    expect(shown()).not.toContain('Try it');
    expect(shown()).toContain('not reachable by HTTP');
  });

  it('says what the kernel refuses', async () => {
    const transport = show(running);
    transport.answer = () => Promise.resolve({ status: 'error', message: 'Serve is not running.' });
    submit();
    await vi.advanceTimersByTimeAsync(0);
    expect(message()).toBe('Serve is not running.');
    expect(button('Send').getAttribute('aria-disabled')).toBe(null);
  });

  it('says that the kernel is busy, until the answer comes', async () => {
    const transport = show(running);
    transport.answer = () => Promise.resolve({ status: 'queued' });
    submit();
    await vi.advanceTimersByTimeAsync(3100);
    expect(message()).toContain('queued');
    transport.set(served.asked);
    expect(message()).toBe('');
  });
});
