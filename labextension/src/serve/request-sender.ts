/** Sends a request to be tried, and says so until its answer is on its way. */
import { h, setAttr, setLine, setText, type Part } from '../core/dom';
import type { Answer } from './status';
import type { Command, Source } from '../core/transport';
import { PATIENCE, QUEUED } from '../core/stop-button';

export interface Exchange extends Part<{ answer: Answer | null; gone: boolean }> {
  /** What came of the click, when that needs a word. */
  message: HTMLElement;
  ask(command: Command): void;
  refuse(words: string): void;
}

export function exchange(send: Source['send'], button: HTMLButtonElement): Exchange {
  const message = h('div', 'message');
  let waiting = false;
  let away = false;
  let number = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const draw = (): void => {
    setText(button, waiting ? 'Sending…' : 'Send');
    // Not `disabled`: a button that is disabled loses the keyboard focus.
    setAttr(button, 'aria-disabled', waiting || away ? 'true' : null);
  };

  const settle = (words: string): void => {
    clearTimeout(timer);
    waiting = false;
    setLine(message, words);
    draw();
  };

  setAttr(message, 'role', 'status');
  settle('');
  return {
    node: button,
    message,
    refuse: settle,
    ask(command) {
      if (waiting || away) return;
      let answered = false;
      settle('');
      waiting = true;
      const mine = setTimeout(() => settle(answered ? '' : QUEUED), PATIENCE);
      timer = mine;
      draw();
      send(command).then(
        reply => {
          answered = reply.status === 'ok';
          if (reply.status === 'error' && timer === mine && waiting) settle(reply.message || 'The kernel refused the request.');
        },
        (error: unknown) => {
          if (timer === mine && waiting) settle(`The request could not be sent: ${String(error)}`);
        },
      );
    },
    paint({ answer, gone }) {
      const news = answer !== null && answer.number !== number;
      number = answer?.number ?? number;
      away = gone;
      if (news) settle('');
      else draw();
    },
    dispose: () => clearTimeout(timer),
  };
}
