/** Stop, Pause and Resume of single trials. What is pending is kept by trial, because its row may come and go. */
import type { Component } from '../core/component';
import { button, setAttr, setAttrs, setText, setVisible } from '../core/dom';
import { sendCommand } from '../core/pending-command';
import { isLive, type Run } from '../core/status';
import type { Command, Send } from '../core/transport';
import type { Trial } from './status';

type Action = Extract<Command['action'], 'stop' | 'pause' | 'resume'>;

export interface TrialActions {
  /** Pause, Resume and Stop; what they do depends on the trial they were updated with. */
  buttons(): Component<Trial>[];
  /** The run as it is now. Commands for trials whose state has changed are done. */
  setState(run: Run, trials: Trial[]): void;
  /** Another number whenever a button may look different although its trial is the same. */
  version(): number;
  /** What came of the last click; empty where the buttons themselves show it. */
  message(): string;
  dispose(): void;
}

interface Pending {
  action: Action;
  /** The trial's state at the click. */
  before: string;
  cancel(): void;
}

const LABELS: Record<Action, [idle: string, busy: string]> = {
  stop: ['Stop', 'Stopping…'],
  pause: ['Pause', 'Pausing…'],
  resume: ['Resume', 'Resuming…'],
};

export function trialActions(send: Send, changed: () => void): TrialActions {
  const pending = new Map<string, Pending>();
  let run: Run | null = null;
  let message = '';
  let version = 0;

  const settle = (id: string, text: string): void => {
    pending.get(id)?.cancel();
    pending.delete(id);
    message = text;
    version += 1;
  };

  const start = (trial: Trial, action: Action): void => {
    if (!run) return;
    const settled = (text: string): void => {
      settle(trial.id, text && `Trial ${trial.number}: ${text}`);
      changed();
    };
    const cancel = sendCommand(send, { action, run: run.id, part: trial.id }, settled);
    pending.set(trial.id, { action, before: stateKey(trial), cancel });
    message = '';
    version += 1;
    changed();
  };

  const actionButton = (action: Action): Component<Trial> => {
    let trial: Trial | null = null;
    const isReady = (one: Trial): boolean => canControl(run) && isPossible(action, one) && !pending.has(one.id);
    const node = button('small', event => {
      event.stopPropagation(); // a click on the row selects the trial
      if (trial && isReady(trial) && event.detail < 2) start(trial, action);
    });
    return {
      node,
      update(next) {
        trial = next;
        const isPending = pending.get(next.id)?.action === action;
        const [idle, busy] = LABELS[action];
        const consequence = consequenceText(action, next);
        const label = isPending ? busy : idle;
        setText(node, label);
        setAttr(node, 'aria-label', `${label} trial ${next.number}${consequence && `: ${consequence}`}`);
        setAttrs(node, { title: consequence || null, 'aria-disabled': isReady(next) ? null : 'true' });
        setVisible(node, isPending || isReady(next));
      },
    };
  };

  return {
    buttons: () => (['pause', 'resume', 'stop'] as const).map(actionButton),
    message: () => message,
    version: () => version,
    setState(next, trials) {
      if (canControl(run) !== canControl(next)) version += 1;
      run = next;
      if (pending.size === 0) return;
      for (const trial of trials) {
        const one = pending.get(trial.id);
        if (one && one.before !== stateKey(trial)) settle(trial.id, '');
      }
    },
    dispose() {
      for (const { cancel } of pending.values()) cancel();
      pending.clear();
    },
  };
}

/** What a pause will cost: known before the click. */
function consequenceText(action: Action, trial: Trial): string {
  if (action === 'stop') return '';
  if (trial.checkpoint) return 'goes on from its last checkpoint';
  return action === 'resume' ? 'starts again from the beginning' : 'has no checkpoint, so it would start again from the beginning';
}

function isPossible(action: Action, trial: Trial): boolean {
  if (action === 'pause') return trial.state === 'RUNNING' && trial.how === '';
  if (action === 'resume') return trial.state === 'PAUSED' && trial.how === 'held';
  return ['PENDING', 'RUNNING', 'PAUSED'].includes(trial.state) && trial.how !== 'asked';
}

function canControl(run: Run | null): boolean {
  return run !== null && run.stoppable && isLive(run) && run.state !== 'stopping';
}

function stateKey(trial: Trial): string {
  return `${trial.state} ${trial.how}`;
}
