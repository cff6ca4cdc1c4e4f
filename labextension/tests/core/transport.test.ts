import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commandSender, type Command, type KernelConnection, type Reply } from '../../src/core/transport';

const command: Command = { action: 'stop', run: '3' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Message {
  channel: string;
  header: Record<string, string>;
  content: unknown;
}

function kernelThat(answers: () => Promise<unknown>) {
  const sendControlMessage = vi.fn((_message: Message, _expectReply: boolean, _disposeOnDone: boolean) => ({ done: answers().then(content => ({ content })) }));
  return { clientId: 'me', username: 'you', sendControlMessage } as KernelConnection & { sendControlMessage: typeof sendControlMessage };
}

describe('a command', () => {
  it('goes over the control channel, whose reply is the answer', async () => {
    const kernel = kernelThat(() => Promise.resolve({ status: 'error', message: 'No run 3.' }));
    const sendMessage = vi.fn();
    expect(await commandSender(() => kernel, sendMessage)(command)).toEqual({ status: 'error', message: 'No run 3.' });
    const [message, expectReply, disposeOnDone] = kernel.sendControlMessage.mock.calls[0]!;
    expect(message).toMatchObject({ channel: 'control', header: { msg_type: 'ray_magics_request', session: 'me', username: 'you' }, content: command });
    expect([expectReply, disposeOnDone]).toEqual([true, true]);
    expect(sendMessage).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has an id of its own each time', async () => {
    const kernel = kernelThat(() => Promise.resolve({ status: 'ok' }));
    const send = commandSender(() => kernel, vi.fn());
    await send(command);
    await send(command);
    const ids = kernel.sendControlMessage.mock.calls.map(([message]) => message.header.msg_id);
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it.each([[null], [undefined]])('is a message where the kernel is %s', async kernel => {
    const sendMessage = vi.fn();
    expect(await commandSender(() => kernel, sendMessage)(command)).toEqual({ status: 'queued' });
    expect(sendMessage).toHaveBeenCalledExactlyOnceWith(command);
  });

  it('is a message when the control channel does not answer in 2.5 seconds', async () => {
    vi.spyOn(console, 'debug').mockImplementation(() => undefined);
    const sendMessage = vi.fn();
    const settled = vi.fn();
    void commandSender(() => kernelThat(() => new Promise(() => undefined)), sendMessage)(command).then(settled);
    await vi.advanceTimersByTimeAsync(2400);
    expect(sendMessage).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(200);
    expect(sendMessage).toHaveBeenCalledExactlyOnceWith(command);
    expect(settled).toHaveBeenCalledExactlyOnceWith({ status: 'queued' } satisfies Reply);
  });

  it('goes to the kernel that there is now', async () => {
    const kernels = [kernelThat(() => Promise.resolve({ status: 'ok' })), kernelThat(() => Promise.resolve({ status: 'ok' }))];
    let now = 0;
    const send = commandSender(() => kernels[now], vi.fn());
    await send(command);
    now = 1;
    await send(command);
    expect(kernels.map(kernel => kernel.sendControlMessage.mock.calls.length)).toEqual([1, 1]);
  });

  it('rejects where no message can be sent either', async () => {
    const send = commandSender(() => null, () => { throw new Error('closed'); });
    await expect(send(command)).rejects.toThrow('closed');
  });
});
