/** The status of a run, as the kernel sends it (tests/data/run.json, runs.json). */
import { asFields, asId, asList, asListOf, asNumber, asNumberOrNull, asObject, asState, asText, asTextUpTo, isTrue } from './json-readers';

export type Run = ReturnType<typeof readRun>;
export type Worker = ReturnType<typeof readWorker>;

export interface OutputLine {
  stream: string;
  text: string;
  repeats: number;
}

const asLongText = asTextUpTo(2000);

const readWorker = asObject({
  id: asId,
  label: asText,
  lines: asNumber,
  hidden: asNumber,
  tail: asListOf((value): OutputLine => {
    const [stream, text, repeats] = asList(value);
    return { stream: asText(stream), text: asLongText(text), repeats: Math.max(1, asNumber(repeats)) };
  }),
});

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
  why: asLongText,
  workers: asListOf(readWorker),
  note: asLongText,
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

export const isLive = (run: Run): boolean => LIVE.includes(run.state);

/** One task alone: there is nothing to count. */
export const isSingleTask = (run: Run): boolean => run.total === 1 && run.unit === 'task';

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
