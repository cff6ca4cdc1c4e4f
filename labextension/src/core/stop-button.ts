/** The Stop button of one run: Stop, then Force stop; each answers the click at once. */
import { h, setAttr, setLine, setText, show, type Part } from './dom';
import type { Command, Source } from './transport';
import { isLive, type Run } from './status';

export const PATIENCE = 3000;
export const QUEUED = 'The kernel is busy: the request is queued until the running cell ends.';

export interface Stop extends Part<Run> {
  /** What came of the click, when that needs a word. */
  message: HTMLElement;
}

export function stop(send: Source['send'], name = 'Stop'): Stop {
  const node = h('button', 'stop');
  const message = h('div', 'message');
  node.type = 'button';
  setAttr(node, 'data-lm-suppress-shortcuts', 'true');
  setAttr(message, 'role', 'status');
  let run: Run | null = null;
  let asked = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  const label = (current: Run): string => {
    if (asked) return asked === 'stopping' ? 'Forcing…' : 'Stopping…';
    return current.state === 'stopping' ? 'Force stop' : name;
  };

  const draw = (current: Run): void => {
    const words = label(current);
    const ready = current.stoppable && !asked;
    setText(node, words);
    setAttr(node, 'aria-label', `${words} ${current.name}`.trim());
    // Not `disabled`: a button that is disabled loses the keyboard focus.
    setAttr(node, 'aria-disabled', ready ? null : 'true');
    show(node, isLive(current));
  };

  const settle = (words: string): void => {
    clearTimeout(timer);
    asked = '';
    setLine(message, words);
    if (run) draw(run);
  };

  const ask = (current: Run): void => {
    let answered = false;
    const force = current.state === 'stopping';
    const command: Command = { action: 'stop', run: current.id, ...(force && { force }) };
    asked = current.state;
    clearTimeout(timer);
    const mine = setTimeout(() => settle(answered ? '' : QUEUED), PATIENCE);
    timer = mine;
    setLine(message, '');
    draw(current);
    send(command).then(
      reply => {
        if (timer !== mine || !asked) return;
        answered = reply.status === 'ok';
        if (reply.status === 'error') settle(reply.message || 'The kernel refused the request.');
      },
      (error: unknown) => {
        if (timer === mine && asked) settle(`The request could not be sent: ${String(error)}`);
      },
    );
  };

  node.addEventListener('click', event => {
    // The second half of a double click must not force.
    if (run && run.stoppable && isLive(run) && !asked && event.detail < 2) ask(run);
  });

  setLine(message, '');
  return {
    node,
    message,
    paint(next) {
      const moved = run !== null && run.state !== next.state;
      run = next;
      if (moved) settle('');
      else draw(next);
    },
    dispose: () => clearTimeout(timer),
  };
}
