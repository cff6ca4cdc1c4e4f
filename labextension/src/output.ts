/** What the workers print: one fold for each worker, closed unless the run is a single task. */
import { h, keyed, setAttr, setAttrs, setLine, setText, show, type Part } from './dom';
import { count, plural } from './format';
import { isSingle, type Line, type Run, type Worker } from './status';

const LINES = 500;

export function output(): Part<Run> {
  const node = h('div', 'workers');
  let single = false;
  const folds = keyed<Worker>(node, worker => worker.id, () => fold(single));
  return {
    node,
    paint(run) {
      single = isSingle(run);
      folds.paint(run.workers);
      show(node, run.workers.length > 0);
    },
  };
}

function fold(open: boolean): Part<Worker> {
  const label = h('span', 'worker-label');
  const amount = h('span', 'muted');
  const summary = h('summary', '', label, amount);
  const hidden = h('div', 'muted hidden-lines');
  const lines = h('div', 'lines');
  const node = h('details', 'worker', summary, hidden, lines);
  const tail = follow(lines);
  node.open = open;
  setAttr(summary, 'data-lm-suppress-shortcuts', 'true');
  setAttrs(lines, { tabindex: '0', role: 'region' });
  node.addEventListener('toggle', () => {
    lines.scrollTop = lines.scrollHeight;
  });
  return {
    node,
    paint(worker) {
      setText(label, worker.label);
      setText(amount, `${count(worker.lines)} ${plural('line', worker.lines)}${errors(worker)}`);
      setAttr(lines, 'aria-label', `Output of ${worker.label}`);
      setLine(hidden, worker.hidden ? `${count(worker.hidden)} earlier ${plural('line', worker.hidden)} not shown` : '');
      tail(worker.tail.slice(-LINES));
    },
  };
}

function errors(worker: Worker): string {
  return worker.tail.some(line => line.stream === 'stderr') ? ', some on stderr' : '';
}

/** Shows a tail that grows below and shrinks above, leaving alone the lines that are already there. */
export function follow(node: HTMLElement): (tail: Line[]) => void {
  let shown: Line[] = [];
  return tail => {
    const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 8;
    const gone = overlap(shown, tail);
    for (let index = 0; index < gone; index += 1) node.firstChild?.remove();
    const kept = shown.length - gone;
    tail.forEach((line, index) => {
      if (index >= kept) node.append(row(line));
      else if (index === kept - 1) repaint(node.children[index] as HTMLElement, line);
    });
    shown = tail;
    if (atEnd) node.scrollTop = node.scrollHeight;
  };
}

/** How many lines have left `before` at the top to make it the beginning of `after`; the last line's repeats may have grown. */
function overlap(before: Line[], after: Line[]): number {
  for (let gone = 0; gone < before.length; gone += 1) {
    const fits = before.length - gone <= after.length;
    if (fits && before.every((line, index) => index < gone || same(line, after[index - gone], index === before.length - 1))) {
      return gone;
    }
  }
  return before.length;
}

function same(one: Line, other: Line | undefined, last: boolean): boolean {
  return one.text === other?.text && one.stream === other.stream && (last || one.repeats === other.repeats);
}

function row(line: Line): HTMLElement {
  const text = h('span', 'line-text', line.text);
  const node = h('div', 'line');
  text.dir = 'auto';
  if (line.stream === 'stderr') {
    node.classList.add('ray-magics-stderr');
    node.append(h('span', 'stream', 'stderr '));
  }
  node.append(text, h('span', 'repeats'));
  repaint(node, line);
  return node;
}

function repaint(node: HTMLElement, line: Line): void {
  const repeats = node.lastElementChild as HTMLElement;
  setText(repeats, line.repeats > 1 ? ` ×${count(line.repeats)}` : '');
}
