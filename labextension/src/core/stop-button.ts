/** The button that stops one run: Stop, then Force stop. It answers a click at once. */
import type { Component } from './component';
import { button, h, setAttr, setText, setTextOrHide, setVisible } from './dom';
import { sendCommand } from './pending-command';
import { isLive } from './status';
import type { Send } from './transport';

/** What the button stops; nothing, and it is hidden, where `id` is empty. */
export interface StopTarget {
  id: string;
  name: string;
  state: string;
  stoppable: boolean;
  label?: string;
}

export interface StopButton extends Component<StopTarget> {
  /** What came of a click; hidden where the button itself shows it. */
  message: HTMLElement;
}

export function stopButton(send: Send): StopButton {
  const message = h('div', 'message');
  const node = button('stop', event => {
    // The second half of a double click must not force.
    if (run && run.stoppable && isLive(run) && !pending && event.detail < 2) stop(run);
  });
  let run: StopTarget | null = null;
  let pending: { force: boolean; cancel(): void } | null = null;

  const draw = (current: StopTarget): void => {
    const text = pending ? (pending.force ? 'Forcing…' : 'Stopping…') : current.state === 'stopping' ? 'Force stop' : (current.label ?? 'Stop');
    setText(node, text);
    setAttr(node, 'aria-label', `${text} ${current.name}`.trim());
    // Not `disabled`: a button that is disabled loses the keyboard focus.
    setAttr(node, 'aria-disabled', current.stoppable && !pending ? null : 'true');
    setVisible(node, isLive(current) && current.id !== '');
  };

  const settle = (text: string): void => {
    pending?.cancel();
    pending = null;
    setTextOrHide(message, text);
    if (run) draw(run);
  };

  const stop = (current: StopTarget): void => {
    const force = current.state === 'stopping';
    pending = { force, cancel: sendCommand(send, { action: 'stop', run: current.id, ...(force && { force }) }, settle) };
    setTextOrHide(message, '');
    draw(current);
  };

  setAttr(message, 'role', 'status');
  setTextOrHide(message, '');
  return {
    node,
    message,
    update(next) {
      const moved = run !== null && run.state !== next.state;
      run = next;
      if (moved) settle('');
      else draw(next);
    },
    dispose: () => pending?.cancel(),
  };
}
