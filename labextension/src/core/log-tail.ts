/** The last lines of a log, which grow at the end and are cut at the beginning. */
import { h, setText } from './dom';
import { count } from './format';
import type { OutputLine } from './sections';

const AT_END = 8; // pixels from the end within which a reader is taken to follow it

/** Shows the lines in `node`, leaving alone those that are there already, and scrolls along with a reader at the end. */
export function logTail(node: HTMLElement): (lines: OutputLine[]) => void {
  let before: OutputLine[] = [];
  return lines => {
    const follows = node.scrollHeight - node.scrollTop - node.clientHeight < AT_END;
    const dropped = droppedLines(before, lines);
    for (let index = 0; index < dropped; index += 1) node.firstChild?.remove();
    const kept = before.length - dropped;
    lines.forEach((line, index) => {
      if (index >= kept) node.append(lineNode(line));
      else if (index === kept - 1) setRepeats(node.children[index]!, line);
    });
    before = lines;
    if (follows) node.scrollTop = node.scrollHeight;
  };
}

/** How many lines have left `before` at its beginning to make it the beginning of `after`; only the last line's repeats may have grown. */
function droppedLines(before: OutputLine[], after: OutputLine[]): number {
  for (let dropped = 0; dropped < before.length; dropped += 1) {
    const fits = before.length - dropped <= after.length;
    if (fits && before.every((line, index) => index < dropped || isSame(line, after[index - dropped], index === before.length - 1))) {
      return dropped;
    }
  }
  return before.length;
}

function isSame(one: OutputLine, other: OutputLine | undefined, isLast: boolean): boolean {
  return one.text === other?.text && one.stream === other.stream && (isLast || one.repeats === other.repeats);
}

function lineNode(line: OutputLine): HTMLElement {
  const text = h('span', 'line-text', line.text);
  const node = h('div', 'line');
  text.dir = 'auto';
  if (line.stream === 'stderr') {
    node.classList.add('ray-magics-stderr');
    node.append(h('span', 'stream', 'stderr '));
  }
  node.append(text, h('span', 'repeats'));
  setRepeats(node, line);
  return node;
}

function setRepeats(node: Element, { repeats }: OutputLine): void {
  setText(node.lastElementChild!, repeats > 1 ? ` ×${count(repeats)}` : '');
}
