/** Progress of a run: done, failed, and running in lighter colour; a moving bar while the total is not known. */
import { count, plural } from './format';
import { h, setAttrs, setAttrs, type Part } from './dom';
import { isLive, isSingle, type Run } from './status';

export function bar(): Part<Run> {
  const done = h('div', 'bar-done');
  const failed = h('div', 'bar-failed');
  const running = h('div', 'bar-running');
  const node = h('div', 'bar', done, failed, running);
  setAttrs(node, { role: 'progressbar', 'aria-valuemin': '0' });
  return {
    node,
    paint(run) {
      const total = known(run);
      const shares = parts(run, total);
      [done, failed, running].forEach((part, index) => {
        const width = `${(100 * (shares[index] ?? 0)).toFixed(2)}%`;
        if (part.style.width !== width) part.style.width = width;
      });
      node.classList.toggle('ray-magics-moving', isLive(run) && run.state !== 'pending' && total === null);
      node.classList.toggle('ray-magics-ended', !isLive(run) && run.state !== 'finished');
      setAttrs(node, { 'aria-label': `Progress of ${run.name || 'the run'}`, 'aria-valuemax': total === null ? null : String(total) });
      setAttrs(node, { 'aria-valuenow': total === null ? null : String(Math.min(run.done + run.failed, total)), 'aria-valuetext': progress(run) || run.state });
    },
  };
}

/** "120 of 1,797 items", or nothing for a task alone */
export function progress(run: Run): string {
  if (isSingle(run)) return '';
  if (run.total === null) return `${count(run.done)} ${plural(run.unit, run.done)}`;
  return `${count(run.done)} of ${count(run.total)} ${plural(run.unit, run.total)}`;
}

function known(run: Run): number | null {
  return isSingle(run) && isLive(run) ? null : run.total;
}

function parts(run: Run, total: number | null): number[] {
  if (run.state === 'finished' && run.failed === 0) return [1, 0, 0];
  if (!total) return [0, run.failed > 0 ? 1 : 0, 0];
  const failed = Math.min(run.failed / total, 1);
  const done = Math.min(run.done / total, 1 - failed);
  return [done, failed, isLive(run) ? Math.min(run.running / total, 1 - failed - done) : 0];
}
