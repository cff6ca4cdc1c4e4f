/** Progress of a run: done, failed, and running in lighter colour; a moving bar while the total is not known. And its numbers. */
import { keyedList, type Component } from './component';
import { h, setAttr, setAttrs, setText, setVisible } from './dom';
import { clock, count, plural, rate } from './format';
import type { Progress } from './sections';
import { isLive, isSingleTask } from './status';

/** What a bar shows. */
export type BarState = Pick<Progress, 'state' | 'unit' | 'total' | 'done' | 'failed' | 'running'> & { name: string };

interface ProgressState {
  progress: Progress;
  name: string;
  age: number;
}

interface ProgressNumber {
  key: string;
  text: string;
  isLast?: boolean;
}

/** The bar and the numbers of a run; nothing for a single task that is over. */
export function progress(): Component<ProgressState> {
  const bar = progressBar();
  const numbers = h('div', 'facts');
  const list = keyedList<ProgressNumber>(numbers, ({ key }) => key, progressNumber);
  return {
    node: h('div', 'progress', bar.node, numbers),
    update({ progress, name, age }) {
      const parts = numbersOf(progress, age);
      bar.update({ ...progress, name });
      setVisible(bar.node, isLive(progress) || !isSingleTask(progress));
      list.update(parts.map((part, index) => ({ ...part, isLast: index === parts.length - 1 })));
      setVisible(numbers, parts.length > 0);
    },
  };
}

/** "120 of 1,797 items · 37 items/s · 45 s left · 2 failed · 4 running", `age` seconds after it was so. */
function numbersOf(progress: Progress, age: number): ProgressNumber[] {
  if (isSingleTask(progress)) return [];
  const live = isLive(progress);
  const remaining = progress.remaining === null || !live ? null : progress.remaining - age;
  return [
    { key: 'progress', text: progressText(progress) },
    { key: 'rate', text: progress.rate === null ? '' : rate(progress.rate, progress.unit) },
    { key: 'remaining', text: remaining === null || (age && remaining <= 0) ? '' : `${clock(Math.max(1, remaining + 0.5))} left` },
    { key: 'failed', text: progress.failed ? `${count(progress.failed)} failed` : '' },
    { key: 'running', text: live && progress.running ? `${count(progress.running)} running` : '' },
  ].filter(({ text }) => text);
}

function progressNumber(): Component<ProgressNumber> {
  const text = h('span');
  const separator = h('span', 'muted');
  return {
    node: h('span', 'fact', text, separator),
    update(part) {
      setText(text, part.text);
      setText(separator, part.isLast ? '' : ' · ');
      text.classList.toggle('ray-magics-bad', part.key === 'failed');
    },
  };
}

export function progressBar(): Component<BarState> {
  const segments = ['done', 'failed', 'running'].map(name => h('div', `bar-${name}`));
  const node = h('div', 'bar', ...segments);
  setAttrs(node, { role: 'progressbar', 'aria-valuemin': '0' });
  return {
    node,
    update(run) {
      const total = isSingleTask(run) && isLive(run) ? null : run.total;
      const shares = sharesOf(run, total);
      segments.forEach((segment, index) => {
        const width = percentWidth(shares[index] ?? 0);
        if (segment.style.width !== width) segment.style.width = width;
      });
      node.classList.toggle('ray-magics-moving', isLive(run) && run.state !== 'pending' && total === null);
      node.classList.toggle('ray-magics-ended', !isLive(run) && run.state !== 'finished');
      setAttr(node, 'aria-label', `Progress of ${run.name || 'the run'}`);
      setAttr(node, 'aria-valuemax', total === null ? null : String(total));
      setAttr(node, 'aria-valuenow', total === null ? null : String(Math.min(run.done + run.failed, total)));
      setAttr(node, 'aria-valuetext', progressText(run) || run.state);
    },
  };
}

/** "120 of 1,797 items", or nothing for a single task */
export function progressText(run: Pick<BarState, 'unit' | 'total' | 'done'>): string {
  if (isSingleTask(run)) return '';
  if (run.total === null) return `${count(run.done)} ${plural(run.unit, run.done)}`;
  return `${count(run.done)} of ${count(run.total)} ${plural(run.unit, run.total)}`;
}

/** 0.5 -> "50.00%" */
export function percentWidth(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}

function sharesOf(run: BarState, total: number | null): number[] {
  if (run.state === 'finished' && run.failed === 0) return [1, 0, 0];
  if (!total) return [0, run.failed > 0 ? 1 : 0, 0];
  const failed = Math.min(run.failed / total, 1);
  const done = Math.min(run.done / total, 1 - failed);
  return [done, failed, isLive(run) ? Math.min(run.running / total, 1 - failed - done) : 0];
}
