/** Sends the request of a form, and says so until a response to it is on its way. */
import type { Component } from '../core/component';
import { h, setAttr, setText, setTextOrHide } from '../core/dom';
import { sendCommand } from '../core/pending-command';
import type { Command, Send } from '../core/transport';
import type { HttpResponse } from './status';

export interface RequestSender extends Component<{ response: HttpResponse | null; kernelGone: boolean }> {
  /** What came of a click; hidden where the button itself shows it. */
  message: HTMLElement;
  send(command: Command): void;
  /** Says why a request is not sent. */
  refuse(message: string): void;
}

export function requestSender(send: Send, button: HTMLButtonElement): RequestSender {
  const message = h('div', 'message');
  let cancel: (() => void) | null = null;
  let disconnected = false;
  let number = 0;

  const draw = (): void => {
    setText(button, cancel ? 'Sending…' : 'Send');
    // Not `disabled`: a button that is disabled loses the keyboard focus.
    setAttr(button, 'aria-disabled', cancel || disconnected ? 'true' : null);
  };

  const settle = (text: string): void => {
    cancel?.();
    cancel = null;
    setTextOrHide(message, text);
    draw();
  };

  setAttr(message, 'role', 'status');
  settle('');
  return {
    node: button,
    message,
    refuse: settle,
    send(command) {
      if (cancel || disconnected) return;
      setTextOrHide(message, '');
      cancel = sendCommand(send, command, settle);
      draw();
    },
    update({ response, kernelGone }) {
      const isNew = response !== null && response.number !== number;
      number = response?.number ?? number;
      disconnected = kernelGone;
      if (isNew) settle('');
      else draw();
    },
    dispose: () => cancel?.(),
  };
}
