/** A command that was sent to the kernel and has had no reply yet. */
import type { Command, Send } from './transport';

const TIMEOUT = 3000; // milliseconds; longer than that of the control channel (see transport.ts)
const QUEUED = 'The kernel is busy: the request is queued until the running cell ends.';

/**
 * Calls `settled` once: with a message as soon as the kernel refuses the command, else when time is up, with no
 * message if it has agreed. Returns the function that gives up waiting.
 */
export function sendCommand(send: Send, command: Command, settled: (message: string) => void): () => void {
  let waiting = true;
  let accepted = false;
  const cancel = (): void => {
    waiting = false;
    clearTimeout(timer);
  };
  const settle = (message: string): void => {
    if (!waiting) return;
    cancel();
    settled(message);
  };
  const timer = setTimeout(() => settle(accepted ? '' : QUEUED), TIMEOUT);
  send(command).then(
    reply => {
      accepted = reply.status === 'ok';
      if (reply.status === 'error') settle(reply.message || 'The kernel refused the request.');
    },
    (error: unknown) => settle(`The request could not be sent: ${String(error)}`),
  );
  return cancel;
}
