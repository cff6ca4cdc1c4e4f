import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import runs from '../../tests/data/run.json';
import widget from '../src/widget';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Control {
  channel: string;
  header: { msg_type: string; session: string };
  content: unknown;
}

function start(kernel?: { sendControlMessage(message: Control): { done: Promise<{ content: unknown }> } }) {
  const el = document.createElement('div');
  const model = {
    get: () => runs.running,
    on: vi.fn(),
    off: vi.fn(),
    send: vi.fn(),
    widget_manager: kernel && { kernel: { clientId: 'me', username: 'you', ...kernel } },
  };
  const end = widget.render({ model: model as never, el });
  const click = (): boolean => el.querySelector('button')!.dispatchEvent(new MouseEvent('click', { detail: 1 }));
  const message = (): string => el.querySelector('.ray-magics-message')!.textContent ?? '';
  return { el, model, end, click, message };
}

it('asks over the control channel, which is heard while a cell runs', async () => {
  const sendControlMessage = vi.fn((_message: Control) => ({ done: Promise.resolve({ content: { status: 'ok' } }) }));
  const view = start({ sendControlMessage });
  view.click();
  await vi.advanceTimersByTimeAsync(0);
  expect(sendControlMessage.mock.calls[0]![0]).toMatchObject({
    channel: 'control',
    header: { msg_type: 'ray_magics_request', session: 'me' },
    content: { action: 'stop', run: '3' },
  });
  expect(view.model.send).not.toHaveBeenCalled();
});

it('sends a widget message where there is no control channel, and says that it is queued', async () => {
  const view = start();
  view.click();
  await vi.advanceTimersByTimeAsync(3100);
  expect(view.model.send).toHaveBeenCalledWith({ action: 'stop', run: '3' });
  expect(view.message()).toContain('queued');
});

it.each([
  ['does not answer', () => ({ done: new Promise<never>(() => undefined) })],
  ['fails', () => ({ done: Promise.reject(new Error('gone')) })],
  ['is gone', () => { throw new Error('disposed'); }],
])('sends a widget message when the control channel %s', async (_, sendControlMessage) => {
  vi.spyOn(console, 'debug').mockImplementation(() => undefined);
  const view = start({ sendControlMessage });
  view.click();
  await vi.advanceTimersByTimeAsync(2600);
  expect(view.model.send).toHaveBeenCalledOnce();
});

it('lets go of its model', () => {
  const view = start();
  view.end();
  expect(view.model.off.mock.calls.length).toBe(view.model.on.mock.calls.length);
  expect(view.el.children.length).toBe(0);
});
