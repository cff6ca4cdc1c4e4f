/** Numbers and states of what is served, as text; ray_magics/views/serve.py writes them alike. */
import { clock, count, number, plural, word } from '../core/format';
import { lookUp } from '../core/json-readers';
import { joinText, NO_VALUE } from '../core/text';
import type { Application, Autoscaling, Deployment, Replica, RequestMetrics, Serve } from './status';

const TOO_LONG = 1e12; // from here on a number is not written with all its digits
const STALE = 2; // seconds
const FAILED = ['DEPLOY_FAILED', 'UNHEALTHY'];
const LIFETIMES: Record<string, string> = { kernel: 'ends with this kernel', cluster: 'goes on without this kernel' };

// By Ray's states, of applications, deployments and replicas alike.
const ICONS: Record<string, string> = {
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

/** "DEPLOY_FAILED" -> "Deploy failed", with its icon */
export function stateLabelOf(state: string): { icon: string; text: string } {
  return { icon: lookUp(ICONS, state) ?? 'unknown', text: word(state.toLowerCase().replaceAll('_', ' ')) || 'Unknown' };
}

export const isFailed = (part: { status: string }): boolean => FAILED.includes(part.status);

const isRunning = (replica: Replica): boolean => replica.state === 'RUNNING';

/** "Serve: http://127.0.0.1:8000 · gRPC 127.0.0.1:9000 · ends with this kernel" */
export function serveText({ http, grpc, lifetime, fresh, applications }: Serve): string {
  const stale = applications.length && fresh !== null && fresh >= STALE ? `figures at most ${clock(fresh)} old` : '';
  const text = joinText([http, grpc && `gRPC ${grpc}`, lookUp(LIFETIMES, lifetime) ?? '', stale]);
  return text && `Serve: ${text}`;
}

/** "deployed 34 s ago" */
export function deployedText({ status, since }: Application): string {
  return `${['NOT_STARTED', 'DEPLOYING'].includes(status) ? 'begun' : 'deployed'} ${clock(since)} ago`;
}

/** 1234.4 -> "1,234" */
export function wholeText(value: number | null): string {
  if (value === null) return NO_VALUE;
  return value < TOO_LONG ? count(value) : number(value);
}

/** 12.345 -> "12.3", 0.123 -> "0.12"; a number too small for that is not written as 0. */
export function decimalText(value: number | null): string {
  if (value === null) return NO_VALUE;
  const scale = value < 1 ? 100 : 10;
  return number((value < TOO_LONG ? Math.round(value * scale) / scale : value) || value);
}

/** 3.24 -> "3.2 ms" */
export function millisecondsText(value: number | null): string {
  return value === null ? NO_VALUE : `${decimalText(value)} ms`;
}

/** "3.2 / 12.1 ms" */
export function latencyText({ p50, p99 }: RequestMetrics): string {
  return p50 === null && p99 === null ? NO_VALUE : `${decimalText(p50)} / ${millisecondsText(p99)}`;
}

/** 0.012 -> "1.2%" */
export function percentText(share: number | null): string {
  return share === null ? NO_VALUE : `${decimalText(100 * share)}%`;
}

/** "2 of 2", and of which version while there are two: "2 of 2, 1 new" */
export function replicasText({ target, replicas }: Deployment): string {
  const running = replicas.filter(isRunning);
  const fresh = running.filter(replica => replica.version === 'new').length;
  const versions = running.some(replica => replica.version) ? `, ${count(fresh)} new` : '';
  return `${count(running.length)} of ${wholeText(target)}${versions}`;
}

/** Requests in work, of those that the replicas take at once: "4 of 200" */
export function ongoingText({ maxOngoing, replicas }: Deployment): string {
  const known = replicas.filter(replica => isRunning(replica) && replica.ongoing !== null);
  const ongoing = known.reduce((sum, replica) => sum + (replica.ongoing ?? 0), 0);
  return known.length ? `${wholeText(ongoing)} of ${wholeText(maxOngoing * known.length)}` : NO_VALUE;
}

/** "0.1 CPU", "2 CPUs, 1 GPU" */
export function resourcesText({ cpus, gpus }: Deployment): string {
  const amount = (value: number, unit: string): string => `${decimalText(value)} ${unit}${value > 1 ? 's' : ''}`;
  return joinText([cpus || !gpus ? amount(cpus, 'CPU') : '', gpus ? amount(gpus, 'GPU') : ''], ', ');
}

/** "0 to 3 replicas, 2 ongoing requests each; wants 2: 5 seen" */
export function scalingText({ min, max, target, why }: Autoscaling, wanted: number): string {
  const each = `${decimalText(target)} ongoing ${plural('request', target)} each`;
  return `${wholeText(min)} to ${wholeText(max)} replicas, ${each}; wants ${wholeText(wanted)}${why && `: ${why}`}`;
}

/** Which version serves while there are two, or after the new one did not start. */
export function updateText(application: Application): string {
  const { deployments } = application;
  const serving = new Set(deployments.flatMap(({ replicas }) => replicas.filter(isRunning)).map(({ version }) => version));
  if (!serving.has('old')) return '';
  if ([application, ...deployments].some(isFailed)) return 'The old version goes on serving; the new one did not start.';
  return serving.has('new') ? 'Old and new version serving until the new one has all its replicas.' : 'Old version serving, new version starting.';
}

/** The message, unless it is part of the text above it. */
export function newText(message: string, textAbove: string): string {
  return textAbove.includes(message.trim()) ? '' : message;
}
