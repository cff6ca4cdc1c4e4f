/** Progress of a run: done, failed, and running in lighter colour; a moving bar while the total is not known. */
import type { Component } from './component';
import { h, setAttr, setAttrs } from './dom';
import { count, plural } from './format';
import { isLive, isSingleTask, type Run } from './status';

export function progressBar(): Component<Run> {
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
export function progressText(run: Run): string {
  if (isSingleTask(run)) return '';
  if (run.total === null) return `${count(run.done)} ${plural(run.unit, run.done)}`;
  return `${count(run.done)} of ${count(run.total)} ${plural(run.unit, run.total)}`;
}

/** 0.5 -> "50.00%" */
export function percentWidth(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}

function sharesOf(run: Run, total: number | null): number[] {
  if (run.state === 'finished' && run.failed === 0) return [1, 0, 0];
  if (!total) return [0, run.failed > 0 ? 1 : 0, 0];
  const failed = Math.min(run.failed / total, 1);
  const done = Math.min(run.done / total, 1 - failed);
  return [done, failed, isLive(run) ? Math.min(run.running / total, 1 - failed - done) : 0];
}
