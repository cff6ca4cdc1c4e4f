/** The button that stops one run: Stop, then Force stop. It answers a click at once. */
import type { Component } from './component';
import { button, h, setAttr, setText, setTextOrHide, setVisible } from './dom';
import { sendCommand } from './pending-command';
import { isLive, type Run } from './status';
import type { Send } from './transport';

export interface StopButton extends Component<Run> {
  /** What came of a click; hidden where the button itself shows it. */
  message: HTMLElement;
}

export function stopButton(send: Send, label = 'Stop'): StopButton {
  const message = h('div', 'message');
  const node = button('stop', event => {
    // The second half of a double click must not force.
    if (run && run.stoppable && isLive(run) && !pending && event.detail < 2) stop(run);
  });
  let run: Run | null = null;
  let pending: { force: boolean; cancel(): void } | null = null;

  const draw = (current: Run): void => {
    const text = pending ? (pending.force ? 'Forcing…' : 'Stopping…') : current.state === 'stopping' ? 'Force stop' : label;
    setText(node, text);
    setAttr(node, 'aria-label', `${text} ${current.name}`.trim());
    // Not `disabled`: a button that is disabled loses the keyboard focus.
    setAttr(node, 'aria-disabled', current.stoppable && !pending ? null : 'true');
    setVisible(node, isLive(current));
  };

  const settle = (text: string): void => {
    pending?.cancel();
    pending = null;
    setTextOrHide(message, text);
    if (run) draw(run);
  };

  const stop = (current: Run): void => {
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
