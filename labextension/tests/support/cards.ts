/** Cards made of statuses, as ray_magics makes them; examples.test.ts holds them against those of Python. */

type Status = Record<string, unknown>;
type Section = Record<string, unknown>;

const LIVE = ['pending', 'running', 'stopping'];
const PROGRESS = ['state', 'unit', 'done', 'failed', 'running', 'total', 'rate', 'remaining'];

/** The card of a status by its kind; what is no such status, as it is. */
export function cardOf(snapshot: unknown): unknown {
  const status = (typeof snapshot === 'object' && snapshot !== null ? snapshot : {}) as Status;
  if (status.kind === 'run') return runCard(status);
  if (status.kind === 'tune') return runCard(status, [searchSection(status)], 'Stop all');
  if (status.kind === 'runs') return runsCard(status);
  if (status.kind === 'serve') return serveCard(status);
  return snapshot;
}

export function runCard(status: Status, body: Section[] = [], stop = 'Stop'): unknown {
  const { workers, id, total, unit } = status;
  const opened = total === 1 && unit === 'task';
  const log = Array.isArray(workers) && workers.length === 0 ? [] : [{ type: 'log', workers, run: id, opened }];
  const progress = { type: 'progress', ...pick(status, PROGRESS) };
  return { kind: 'card', label: `Run ${String(status.name)}`, sections: [header(status, stop), progress, ...messages(status), ...body, ...log] };
}

function header(status: Status, stop: string): Section {
  const { state, name, verb, elapsed, id, stoppable } = status;
  const canStop = LIVE.includes(String(state)) && stoppable !== false;
  return { type: 'header', state, name, title: '', details: [verb], elapsed, run: id, stop: canStop ? stop : '' };
}

function messages({ why, note, error }: Status): Section[] {
  const sentence = typeof why === 'string' && why ? `${why.charAt(0).toUpperCase()}${why.slice(1)}${/[.!?…]$/.test(why) ? '' : '.'}` : why;
  const every: [unknown, string][] = [[sentence, 'notice'], [note, 'muted'], [error, 'error']];
  return every.filter(([text]) => text).map(([text, tone]) => ({ type: 'text', text, tone }));
}

function searchSection({ kind: _, workers: __, trials, ...data }: Status): Section {
  return { type: 'special', name: 'search', data, key: 'search', rows: trials };
}

function serveCard(status: Status): unknown {
  const { kind: _, workers: __, ...data } = status;
  const applications = { type: 'special', name: 'applications', data };
  if (status.id) return runCard(status, [applications]);
  return { kind: 'card', label: 'Applications of Ray Serve', sections: [...messages(status), applications] };
}

function runsCard({ runs }: Status): unknown {
  const list = (Array.isArray(runs) ? runs : []) as Status[];
  const live = list.filter(run => LIVE.includes(String(run?.state))).length;
  const title = { type: 'text', text: `Runs: ${list.length}${live ? `, ${live} at work` : ''}`, tone: 'strong' };
  const empty = { type: 'text', text: 'Nothing has run yet. Begin a cell with %%ray_remote to run it on the cluster.', tone: '' };
  return { kind: 'card', label: 'Runs', sections: list.length ? [title, { type: 'special', name: 'runs', data: { runs } }] : [empty] };
}

function pick(status: Status, names: string[]): Section {
  return Object.fromEntries(names.map(name => [name, status[name]]));
}
