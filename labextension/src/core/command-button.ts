/** A button in a line of its own, which asks the kernel for something. */
import type { Component } from './component';
import { button, h, setAttr, setText, setTextOrHide } from './dom';
import { sendCommand } from './pending-command';
import type { Button } from './sections';
import type { Command, Send } from './transport';

interface ButtonState {
  button: Button;
  kernelGone: boolean;
}

export function commandButton(send: Send): Component<ButtonState> {
  const message = h('div', 'message');
  let current: Button | null = null;
  let isGone = false;
  let cancel: (() => void) | null = null;
  const draw = (): void => {
    setText(press, `${current?.text ?? ''}${cancel ? '…' : ''}`);
    setAttr(press, 'aria-disabled', cancel || isGone ? 'true' : null);
  };
  const settled = (text: string): void => {
    cancel = null;
    setTextOrHide(message, text);
    draw();
  };
  const press = button('small', event => {
    // The second half of a double click must not ask again.
    if (!current || cancel || isGone || event.detail > 1) return;
    const { name, run, part } = current.action;
    setTextOrHide(message, '');
    cancel = sendCommand(send, { action: name as Command['action'], run, ...(part && { part }) }, settled);
    draw();
  });
  const node = h('div', 'button-line', press, message);
  setAttr(message, 'role', 'status');
  setTextOrHide(message, '');
  return {
    node,
    update({ button: next, kernelGone }) {
      const isAnother = current !== null && (current.text !== next.text || current.action.run !== next.action.run);
      current = next;
      isGone = kernelGone;
      if (isAnother) {
        cancel?.();
        settled('');
      }
      draw();
    },
    dispose: () => cancel?.(),
  };
}
