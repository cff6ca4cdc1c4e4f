/** The views as an anywidget. */
import { takeRows, wholeOf } from './core/keyed-rows';
import type { Command, Reply, Source } from './core/transport';
import { fields, id } from './core/status';
import { mount } from './view';

const PATIENCE = 2500;

interface Model {
  get(name: 'snapshot' | 'rows'): unknown;
  on(event: string, callback: (content: unknown) => void): void;
  off(event: string, callback: (content: unknown) => void): void;
  send(message: unknown): void;
  widget_manager?: { kernel?: Kernel | null };
}

/** The part of JupyterLab's kernel connection that is used here. */
interface Kernel {
  clientId: string;
  username: string;
  sendControlMessage(message: unknown, expectReply: boolean, disposeOnDone: boolean): { done: Promise<{ content: unknown }> };
}

/** Once for a model, and before any of its views: they all show the rows that are kept here. */
function initialize({ model }: { model: Model }): () => void {
  const heard = (message: unknown): void => {
    if (!takeRows(model, message)) model.send({ action: 'refresh', run: id(fields(model.get('snapshot')).id) });
  };
  model.on('msg:custom', heard);
  return () => model.off('msg:custom', heard);
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  return mount(el, sourceOf(model));
}

function sourceOf(model: Model): Source {
  let gone = false;
  return {
    get: () => wholeOf(model),
    gone: () => gone,
    onChange(callback) {
      const news = { 'change:snapshot': false, 'change:rows': false, 'msg:custom': false, comm_live_update: true };
      const ends = Object.entries(news).map(([event, last]) => {
        const heard = (): void => {
          gone = last;
          callback();
        };
        model.on(event, heard);
        return () => model.off(event, heard);
      });
      return () => ends.forEach(end => end());
    },
    send: command => request(model, command),
  };
}

/** Over the control channel, which is answered while a cell runs; else as a widget message, which waits for the cell. */
async function request(model: Model, command: Command): Promise<Reply> {
  try {
    const kernel = model.widget_manager?.kernel;
    if (kernel) return await inTime(ask(kernel, command));
  } catch (error) {
    console.debug('ray_magics: no answer on the control channel', error);
  }
  model.send(command);
  return { status: 'queued' };
}

async function ask(kernel: Kernel, content: Command): Promise<Reply> {
  const header = {
    msg_id: identity(),
    msg_type: 'ray_magics_request',
    session: kernel.clientId,
    username: kernel.username,
    date: new Date().toISOString(),
    version: '5.3',
  };
  const message = { channel: 'control', header, parent_header: {}, metadata: {}, content, buffers: [] };
  const answer = await kernel.sendControlMessage(message, true, true).done;
  return answer.content as Reply;
}

/** Not crypto.randomUUID, which browsers offer to encrypted pages only. */
function identity(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

function inTime<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('timed out')), PATIENCE);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export default { initialize, render };
