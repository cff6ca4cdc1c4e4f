/**
 * What lies between a view and its kernel: snapshots come in, commands go out. Knows no widget: whoever has a kernel
 * and a way to send it messages, an anywidget model or a comm, builds a Transport of them.
 */

export interface Transport {
  /** The last snapshot, whole. */
  snapshot(): unknown;
  /** Whether the kernel has left, so that no other snapshot will come. */
  isKernelGone(): boolean;
  /** Calls back after every new snapshot and when the kernel leaves; returns the function that ends this. */
  onChange(callback: () => void): () => void;
  /** Settles when the kernel answers, which may be never. */
  send: Send;
}

export type Send = (command: Command) => Promise<Reply>;

export interface Command {
  action: 'stop' | 'pause' | 'resume' | 'show' | 'try';
  run: string;
  /** The trial of a search, the application that is tried, or the dataset; without it all of the run is meant. */
  part?: string;
  force?: true;
  /** What to try. */
  request?: HttpRequest;
}

export interface HttpRequest {
  method: string;
  path: string;
  body: string;
  type: string;
}

export interface Reply {
  status: 'ok' | 'error' | 'queued';
  message?: string;
}

/** The part of JupyterLab's kernel connection that is used here. */
export interface KernelConnection {
  clientId: string;
  username: string;
  sendControlMessage(message: unknown, expectReply: boolean, disposeOnDone: boolean): { done: Promise<{ content: unknown }> };
}

const CONTROL_TIMEOUT = 2500; // milliseconds

/**
 * Sends over the control channel, which the kernel answers while a cell runs. Where there is none, or no answer in
 * time, `sendMessage` sends a message that waits until the running cell has ended.
 *
 * `kernel` is called for each command, because the connection changes when the kernel is restarted.
 */
export function commandSender(kernel: () => KernelConnection | null | undefined, sendMessage: (command: Command) => void): Send {
  return async command => {
    try {
      const connection = kernel();
      if (connection) return await withTimeout(requestOnControl(connection, command), CONTROL_TIMEOUT);
    } catch (error) {
      console.debug('ray_magics: no answer on the control channel', error);
    }
    sendMessage(command);
    return { status: 'queued' };
  };
}

async function requestOnControl(kernel: KernelConnection, content: Command): Promise<Reply> {
  const header = {
    msg_id: randomId(),
    msg_type: 'ray_magics_request',
    session: kernel.clientId,
    username: kernel.username,
    date: new Date().toISOString(),
    version: '5.3',
  };
  const message = { channel: 'control', header, parent_header: {}, metadata: {}, content, buffers: [] };
  const reply = await kernel.sendControlMessage(message, true, true).done;
  return reply.content as Reply;
}

/** Not crypto.randomUUID, which browsers offer only to pages that came over HTTPS or from this machine. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('timed out')), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
