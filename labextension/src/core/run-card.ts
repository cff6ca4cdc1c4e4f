/** One run as a card: state, bar, numbers, why it waits, what its workers print, and Stop. */
import { bar, progress } from './progress-bar';
import { h, keyed, setAttr, setLine, setText, show, type Part } from './dom';
import { clock, count, rate, seconds, sentence, word } from './format';
import { icon } from './state-icon';
import { GONE, live, type Seen } from './live-view';
import { output } from './worker-output';
import type { Mount, Source } from './transport';
import { aged, isLive, isSingle, readRun, type Run } from './status';
import { stop } from './stop-button';

export const mount: Mount = (root, source) =>
  live(root, source, card(command => source.send(command)), snapshot => isLive(readRun(snapshot)));

interface Ways {
  /** What its Stop is called. */
  stopper?: string;
  /** Where there is no run the card has no head. */
  isRun?(run: Run): boolean;
}

/** `body` is what a kind of run shows besides. */
export function card(send: Source['send'], body?: Part<Seen>, { stopper, isRun = () => true }: Ways = {}): Part<Seen> {
  const sign = icon();
  const state = h('span', 'state');
  const name = h('span', 'name');
  const verb = h('span', 'muted verb');
  const elapsed = h('span', 'elapsed');
  const button = stop(send, stopper);
  const progressbar = bar();
  const numbers = facts();
  const workers = output();
  const why = h('div', 'why');
  const note = h('div', 'note');
  const error = h('div', 'error');
  const left = h('div', 'why');
  const news = h('div', 'unseen');
  const head = h('div', 'head', sign.node, state, name, verb, h('span', 'right', elapsed, button.node));
  const top = h('div', '', head, progressbar.node, numbers.node, why, left, button.message);
  const node = h('section', 'card', top, note, error);
  node.append(...(body ? [body.node] : []), workers.node, news);
  setAttr(node, 'tabindex', '-1');
  setAttr(news, 'aria-live', 'polite');
  let before = '';

  return {
    node,
    paint({ snapshot, age, gone }) {
      const run = aged(readRun(snapshot), age, gone);
      const going = isLive(run);
      const focused = document.activeElement === button.node;
      sign.paint(run.state);
      show(top, isRun(run));
      setText(state, word(run.state));
      setText(name, run.name);
      setText(verb, run.verb);
      setText(elapsed, going ? clock(run.elapsed) : seconds(run.elapsed));
      progressbar.paint(run);
      show(progressbar.node, going || !isSingle(run));
      numbers.paint(run);
      setLine(why, run.why && sentence(run.why));
      setLine(left, going && gone ? GONE : '');
      setLine(note, run.note);
      setLine(error, run.error);
      button.paint(run);
      body?.paint({ snapshot, age, gone });
      workers.paint(run);
      setAttr(node, 'aria-label', isRun(run) ? `Run ${run.name}`.trim() : null);
      node.classList.toggle('ray-magics-old', gone);
      if (before && before !== run.state && isRun(run)) setText(news, `${run.name} ${run.state}`);
      before = run.state;
      if (focused && !going) node.focus({ preventScroll: true });
    },
    dispose() {
      button.dispose?.();
      body?.dispose?.();
    },
  };
}

/** "120 of 1,797 items · 37 items/s · 45 s left · 2 failed · 4 running" */
function facts(): Part<Run> {
  const node = h('div', 'facts');
  const rows = keyed<Fact>(node, fact => fact.key, fact);
  return {
    node,
    paint(run) {
      const all = list(run);
      rows.paint(all.map((one, index) => ({ ...one, last: index === all.length - 1 })));
      show(node, all.length > 0);
    },
  };
}

interface Fact {
  key: string;
  text: string;
  last?: boolean;
}

function fact(): Part<Fact> {
  const text = h('span');
  const dot = h('span', 'muted');
  return {
    node: h('span', 'fact', text, dot),
    paint(one) {
      setText(text, one.text);
      setText(dot, one.last ? '' : ' · ');
      text.classList.toggle('ray-magics-bad', one.key === 'failed');
    },
  };
}

function list(run: Run): Fact[] {
  if (isSingle(run)) return [];
  const going = isLive(run);
  return [
    { key: 'progress', text: progress(run) },
    { key: 'rate', text: run.rate === null ? '' : rate(run.rate, run.unit) },
    { key: 'remaining', text: going && run.remaining !== null ? `${clock(Math.max(1, run.remaining + 0.5))} left` : '' },
    { key: 'failed', text: run.failed ? `${count(run.failed)} failed` : '' },
    { key: 'running', text: going && run.running ? `${count(run.running)} running` : '' },
  ].filter(one => one.text);
}
