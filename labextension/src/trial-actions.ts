/** Stop, Pause and Resume of single trials. What was asked is kept by trial, for its row may come and go. */
import { h, setAttr, setAttrs, setText, show, type Part } from './dom';
import type { Command, Source } from './source';
import { isLive, type Run } from './status';
import { PATIENCE, QUEUED } from './stop';
import type { Trial } from './tune-status';

export type Action = Exclude<Command['action'], 'try'>;

export interface Actions {
  /** One button; what it does depends on the trial it was painted with. */
  button(action: Action): Part<Trial>;
  /** The run as it is now; trials that have moved are no longer asked. */
  update(run: Run, trials: Trial[]): void;
  /** Another number whenever a button may look different although its trial is the same. */
  stamp(): number;
  /** What came of the last click, when that needs a word. */
  message(): string;
  dispose(): void;
}

interface Asked {
  action: Action;
  /** The trial's state when it was asked. */
  before: string;
  timer: ReturnType<typeof setTimeout>;
}

const LABELS: Record<Action, [idle: string, busy: string]> = {
  stop: ['Stop', 'Stopping…'],
  pause: ['Pause', 'Pausing…'],
  resume: ['Resume', 'Resuming…'],
};

export function trialActions(send: Source['send'], changed: () => void): Actions {
  const asked = new Map<string, Asked>();
  let run: Run | null = null;
  let words = '';
  let stamp = 0;

  const settle = (id: string, text: string): void => {
    clearTimeout(asked.get(id)?.timer);
    asked.delete(id);
    words = text;
    stamp += 1;
    changed();
  };

  const ask = (trial: Trial, action: Action): void => {
    if (!run) return;
    let answered = false;
    const about = `Trial ${trial.number}: `;
    const timer = setTimeout(() => settle(trial.id, answered ? '' : about + QUEUED), PATIENCE);
    asked.set(trial.id, { action, before: signature(trial), timer });
    words = '';
    const mine = (): boolean => asked.get(trial.id)?.timer === timer;
    send({ action, run: run.id, part: trial.id }).then(
      reply => {
        answered = reply.status === 'ok';
        if (reply.status === 'error' && mine()) settle(trial.id, about + (reply.message || 'The kernel refused the request.'));
      },
      (error: unknown) => {
        if (mine()) settle(trial.id, `${about}The request could not be sent: ${String(error)}`);
      },
    );
    stamp += 1;
    changed();
  };

  return {
    message: () => words,
    stamp: () => stamp,
    update(next, trials) {
      if (canControl(run) !== canControl(next)) stamp += 1;
      run = next;
      if (asked.size === 0) return;
      for (const trial of trials) {
        const one = asked.get(trial.id);
        if (one && one.before !== signature(trial)) {
          clearTimeout(one.timer);
          asked.delete(trial.id);
          words = '';
          stamp += 1;
        }
      }
    },
    button: action => button(action, trial => asked.get(trial.id), trial => canControl(run) && can(action, trial), trial => ask(trial, action)),
    dispose() {
      for (const { timer } of asked.values()) clearTimeout(timer);
      asked.clear();
    },
  };
}

function button(action: Action, asked: (trial: Trial) => Asked | undefined, ready: (trial: Trial) => boolean, ask: (trial: Trial) => void): Part<Trial> {
  const node = h('button', 'small');
  node.type = 'button';
  setAttr(node, 'data-lm-suppress-shortcuts', 'true');
  let trial: Trial | null = null;
  node.addEventListener('click', event => {
    event.stopPropagation();
    if (trial && ready(trial) && !asked(trial) && event.detail < 2) ask(trial);
  });
  return {
    node,
    paint(next) {
      trial = next;
      const request = asked(next);
      const [idle, busy] = LABELS[action];
      const mine = request?.action === action;
      setText(node, mine ? busy : idle);
      setAttr(node, 'aria-label', `${mine ? busy : idle} trial ${next.number}${hint(action, next)}`);
      setAttrs(node, { title: hint(action, next).replace(/^: /, '') || null, 'aria-disabled': ready(next) && !request ? null : 'true' });
      show(node, mine || (!request && ready(next)));
    },
  };
}

/** What a pause will cost: known before the click. */
function hint(action: Action, trial: Trial): string {
  if (action === 'stop') return '';
  if (action === 'resume') return trial.checkpoint ? ': goes on from its last checkpoint' : ': starts again from the beginning';
  return trial.checkpoint ? ': goes on from its last checkpoint' : ': has no checkpoint, so it would start again from the beginning';
}

function can(action: Action, trial: Trial): boolean {
  if (action === 'pause') return trial.state === 'RUNNING' && trial.how === '';
  if (action === 'resume') return trial.state === 'PAUSED' && trial.how === 'held';
  return ['PENDING', 'RUNNING', 'PAUSED'].includes(trial.state) && trial.how !== 'asked';
}

function canControl(run: Run | null): boolean {
  return run !== null && run.stoppable && isLive(run) && run.state !== 'stopping';
}

function signature(trial: Trial): string {
  return `${trial.state} ${trial.how}`;
}
