/** A run in the data of a special part, as the kernel sends it (tests/data/runs.json, tune.json, serve.json). */
import { asFields, asId, asListOf, asNumber, asNumberOrNull, asObject, asState, asText, asTextUpTo, isTrue } from './json-readers';

export type Run = ReturnType<typeof readRun>;

export const readRun = asObject({
  id: asId,
  name: asText,
  verb: asText,
  state: asState,
  unit: value => asText(value) || 'task',
  total: asNumberOrNull,
  done: asNumber,
  failed: asNumber,
  running: asNumber,
  elapsed: asNumber,
  rate: asNumberOrNull,
  remaining: asNumberOrNull,
  error: asTextUpTo(4000),
  stoppable: isTrue,
});

export function readRuns(snapshot: unknown): Run[] {
  return asListOf(readRun)(asFields(snapshot).runs);
}

export function kindOf(snapshot: unknown): string {
  return asText(asFields(snapshot).kind);
}

const LIVE = ['pending', 'running', 'stopping'];

export const isLiveState = (state: string): boolean => LIVE.includes(state);

export const isLive = (run: { state: string }): boolean => isLiveState(run.state);

/** One task alone: there is nothing to count. */
export const isSingleTask = (run: { total: number | null; unit: string }): boolean => run.total === 1 && run.unit === 'task';

/** The run `age` seconds after its snapshot: the view counts on until the next one. */
export function atAge(run: Run, age: number, kernelGone: boolean): Run {
  if (!isLive(run)) return run;
  const remaining = run.remaining === null ? null : run.remaining - age;
  return {
    ...run,
    elapsed: run.elapsed + age,
    remaining: age && remaining !== null && remaining <= 0 ? null : remaining,
    stoppable: run.stoppable && !kernelGone,
  };
}
