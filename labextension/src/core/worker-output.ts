/** What the workers print: one section for each worker, folded at first unless `opened`. */
import { keyedList, type Component } from './component';
import { h, makeScrollRegion, setAttr, setText, setTextOrHide, setVisible, suppressShortcuts } from './dom';
import { count, plural } from './format';
import { asText } from './json-readers';
import { logTail } from './log-tail';
import type { Worker } from './sections';
import { hiddenLinesText } from './text';

const MAX_LINES = 500;

export function workerOutput(opened: boolean): Component<Worker[]> {
  const node = h('div', 'workers');
  const sections = keyedList<Worker>(node, worker => worker.id, () => workerSection(opened));
  return {
    node,
    update(workers) {
      sections.update(workers);
      setVisible(node, workers.length > 0);
    },
  };
}

function workerSection(open: boolean): Component<Worker> {
  const label = h('span', 'worker-label');
  const amount = h('span', 'muted');
  const summary = h('summary', '', label, amount);
  const hidden = h('div', 'muted hidden-lines');
  const lines = h('div', 'lines');
  const node = h('details', 'worker', summary, hidden, lines);
  const showTail = logTail(lines);
  node.open = open;
  suppressShortcuts(summary);
  makeScrollRegion(lines);
  node.addEventListener('toggle', () => {
    lines.scrollTop = lines.scrollHeight;
  });
  return {
    node,
    update(worker) {
      const onStderr = worker.tail.some(line => line.stream === 'stderr');
      const name = worker.label || asText(worker.id);
      setText(label, name);
      setText(amount, `${count(worker.lines)} ${plural('line', worker.lines)}${onStderr ? ', some on stderr' : ''}`);
      setAttr(lines, 'aria-label', `Output of ${name}`);
      setTextOrHide(hidden, hiddenLinesText(worker.hidden));
      showTail(worker.tail.slice(-MAX_LINES));
    },
  };
}
