/** How the numbers and states of what is served are said; ray_magics/views/serve.py says them alike. */
import { clock, count, number, plural, word } from '../core/format';
import type { App, Autoscaling, Deployment, Replica, Serve } from './status';

const HUGE = 1e12;
const NONE = '–';
const FAILED = ['DEPLOY_FAILED', 'UNHEALTHY'];
const LIFETIMES: Record<string, string> = { kernel: 'ends with this kernel', cluster: 'goes on without this kernel' };

// The signs of Ray's states, of applications, deployments and replicas alike.
const SIGNS: Record<string, string> = {
  NOT_STARTED: 'pending',
  DEPLOYING: 'running',
  RUNNING: 'connected',
  HEALTHY: 'connected',
  DEPLOY_FAILED: 'failed',
  UNHEALTHY: 'failed',
  DEAD: 'failed',
  UPDATING: 'running',
  UPSCALING: 'running',
  DOWNSCALING: 'running',
  STARTING: 'running',
  RECOVERING: 'running',
  DELETING: 'stopping',
  STOPPING: 'stopping',
  PENDING_MIGRATION: 'stopping',
};

/** "DEPLOY_FAILED" -> "Deploy failed" */
export function stateWords(state: string): string {
  return word(state.toLowerCase().replaceAll('_', ' ')) || 'Unknown';
}

export function signOf(state: string): string {
  return (Object.hasOwn(SIGNS, state) ? SIGNS[state] : undefined) ?? 'unknown';
}

export const isFailed = (part: { status: string }): boolean => FAILED.includes(part.status);

export const isRunning = (replica: Replica): boolean => replica.state === 'RUNNING';

/** "Serve: http://127.0.0.1:8000 · gRPC 127.0.0.1:9000 · ends with this kernel" */
export function placeText({ http, grpc, lifetime, fresh, apps }: Serve): string {
  const until = Object.hasOwn(LIFETIMES, lifetime) ? LIFETIMES[lifetime] : '';
  const late = apps.length && fresh !== null && fresh >= 2 ? `figures at most ${clock(fresh)} old` : '';
  const words = [http, grpc && `gRPC ${grpc}`, until, late].filter(Boolean).join(' · ');
  return words && `Serve: ${words}`;
}

/** "deployed 34 s ago" */
export function sinceText({ status, since }: App): string {
  return `${['NOT_STARTED', 'DEPLOYING'].includes(status) ? 'begun' : 'deployed'} ${clock(since)} ago`;
}

export function whole(value: number | null): string {
  if (value === null) return NONE;
  return value < HUGE ? count(value) : number(value);
}

/** 12.345 -> "12.3", 0.123 -> "0.12"; what is tiny is not nothing. */
export function few(value: number | null): string {
  if (value === null) return NONE;
  const scale = value < 1 ? 100 : 10;
  return number((value < HUGE ? Math.round(value * scale) / scale : value) || value);
}

/** 3.24 -> "3.2 ms" */
export function millis(value: number | null): string {
  return value === null ? NONE : `${few(value)} ms`;
}

/** 0.012 -> "1.2%" */
export function percent(share: number | null): string {
  return share === null ? NONE : `${few(100 * share)}%`;
}

/** "2 of 2", and of which version while there are two: "2 of 2, 1 new" */
export function replicasText({ target, replicas }: Deployment): string {
  const ready = replicas.filter(isRunning);
  const fresh = ready.filter(one => one.version === 'new').length;
  const versions = ready.some(one => one.version) ? `, ${count(fresh)} new` : '';
  return `${count(ready.length)} of ${whole(target)}${versions}`;
}

/** Requests in work, of those that the replicas take at once: "4 of 200" */
export function ongoingText({ maxOngoing, replicas }: Deployment): string {
  const known = replicas.filter(one => isRunning(one) && one.ongoing !== null);
  const sum = known.reduce((all, one) => all + (one.ongoing ?? 0), 0);
  return known.length ? `${whole(sum)} of ${whole(maxOngoing * known.length)}` : NONE;
}

/** "0.1 CPU", "2 CPUs, 1 GPU" */
export function resourcesText({ cpus, gpus }: Deployment): string {
  return [cpus || !gpus ? `${few(cpus)} ${cpus > 1 ? 'CPUs' : 'CPU'}` : '', gpus ? `${few(gpus)} ${gpus > 1 ? 'GPUs' : 'GPU'}` : ''].filter(Boolean).join(', ');
}

/** "0 to 3 replicas, 2 ongoing requests each; wants 2: 5 seen" */
export function scalingText({ min, max, target, why }: Autoscaling, wanted: number): string {
  const each = `${few(target)} ongoing ${plural('request', target)} each`;
  return `${whole(min)} to ${whole(max)} replicas, ${each}; wants ${whole(wanted)}${why && `: ${why}`}`;
}

/** Which version answers while both are there, or after the new one did not start. */
export function updateText(app: App): string {
  const serving = new Set(app.deployments.flatMap(one => one.replicas.filter(isRunning)).map(one => one.version));
  if (!serving.has('old')) return '';
  if ([app, ...app.deployments].some(isFailed)) return 'The old version goes on serving; the new one did not start.';
  return serving.has('new') ? 'Old and new version serving until the new one has all its replicas.' : 'Old version serving, new version starting.';
}

/** A message that does not stand in `above` already. */
export function unsaid(message: string, above: string): string {
  return above.includes(message.trim()) ? '' : message;
}
