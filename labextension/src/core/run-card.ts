/** One run as a card: state, bar, numbers, why it waits, what its workers print, and Stop. */
import { keyedList, type Component } from './component';
import { h, liveRegion, setAttr, setText, setTextOrHide, setVisible } from './dom';
import { clock, count, rate, seconds, sentence, word } from './format';
import { liveView, type ViewState } from './live-view';
import { progressBar, progressText } from './progress-bar';
import { stateIcon } from './state-icon';
import { atAge, isLive, isSingleTask, readRun, type Run } from './status';
import { stopButton } from './stop-button';
import { KERNEL_GONE } from './text';
import type { Send } from './transport';
import { workerOutput } from './worker-output';

interface CardOptions {
  stopLabel?: string;
  /** Whether the snapshot is that of a run; the card of what is none has no header. */
  isRun?(run: Run): boolean;
}

/** `body` is what the card of a certain kind of run shows besides. */
export function runCard(send: Send, body?: Component<ViewState>, { stopLabel, isRun = () => true }: CardOptions = {}): Component<ViewState> {
  const icon = stateIcon();
  const state = h('span', 'state');
  const name = h('span', 'name');
  const verb = h('span', 'muted verb');
  const elapsed = h('span', 'elapsed');
  const stop = stopButton(send, stopLabel);
  const bar = progressBar();
  const numbers = runNumbers();
  const output = workerOutput();
  const why = h('div', 'why');
  const note = h('div', 'note');
  const error = h('div', 'error');
  const kernelNotice = h('div', 'why');
  const announcement = liveRegion('div');
  const head = h('div', 'head', icon.node, state, name, verb, h('span', 'right', elapsed, stop.node));
  const header = h('div', '', head, bar.node, numbers.node, why, kernelNotice, stop.message);
  const node = h('section', 'card', header, note, error, ...(body ? [body.node] : []), output.node, announcement);
  let stateBefore = '';
  setAttr(node, 'tabindex', '-1');

  return {
    node,
    update(view) {
      const { snapshot, age, kernelGone } = view;
      const run = atAge(readRun(snapshot), age, kernelGone);
      const live = isLive(run);
      const stopFocused = document.activeElement === stop.node;
      icon.update(run.state);
      setVisible(header, isRun(run));
      setText(state, word(run.state));
      setText(name, run.name);
      setText(verb, run.verb);
      setText(elapsed, elapsedText(run));
      bar.update(run);
      setVisible(bar.node, live || !isSingleTask(run));
      numbers.update(run);
      setTextOrHide(why, run.why && sentence(run.why));
      setTextOrHide(kernelNotice, live && kernelGone ? KERNEL_GONE : '');
      setTextOrHide(note, run.note);
      setTextOrHide(error, run.error);
      stop.update(run);
      body?.update(view);
      output.update(run);
      setAttr(node, 'aria-label', isRun(run) ? `Run ${run.name}`.trim() : null);
      node.classList.toggle('ray-magics-old', kernelGone);
      if (stateBefore && stateBefore !== run.state && isRun(run)) setText(announcement, `${run.name} ${run.state}`);
      stateBefore = run.state;
      // Stop has just been hidden; the focus would go back to the top of the page.
      if (stopFocused && !live) node.focus({ preventScroll: true });
    },
    dispose() {
      stop.dispose?.();
      body?.dispose?.();
    },
  };
}

export const mount = liveView(send => runCard(send), snapshot => isLive(readRun(snapshot)));

/** In whole seconds while it ticks. */
export function elapsedText(run: Run): string {
  return isLive(run) ? clock(run.elapsed) : seconds(run.elapsed);
}

interface RunNumber {
  key: string;
  text: string;
  isLast?: boolean;
}

/** "120 of 1,797 items · 37 items/s · 45 s left · 2 failed · 4 running" */
function runNumbers(): Component<Run> {
  const node = h('div', 'facts');
  const list = keyedList<RunNumber>(node, number => number.key, runNumber);
  return {
    node,
    update(run) {
      const numbers = numbersOf(run);
      list.update(numbers.map((number, index) => ({ ...number, isLast: index === numbers.length - 1 })));
      setVisible(node, numbers.length > 0);
    },
  };
}

function runNumber(): Component<RunNumber> {
  const text = h('span');
  const separator = h('span', 'muted');
  return {
    node: h('span', 'fact', text, separator),
    update(number) {
      setText(text, number.text);
      setText(separator, number.isLast ? '' : ' · ');
      text.classList.toggle('ray-magics-bad', number.key === 'failed');
    },
  };
}

function numbersOf(run: Run): RunNumber[] {
  if (isSingleTask(run)) return [];
  const live = isLive(run);
  return [
    { key: 'progress', text: progressText(run) },
    { key: 'rate', text: run.rate === null ? '' : rate(run.rate, run.unit) },
    { key: 'remaining', text: live && run.remaining !== null ? `${clock(Math.max(1, run.remaining + 0.5))} left` : '' },
    { key: 'failed', text: run.failed ? `${count(run.failed)} failed` : '' },
    { key: 'running', text: live && run.running ? `${count(run.running)} running` : '' },
  ].filter(number => number.text);
}
