/** The JSON of served applications (tests/data/serve.json), read so that no missing or odd field can break a view. */
import { fields, id, list, maybe, number, readRun, text, type Run } from '../core/status';

export interface Serve {
  run: Run;
  http: string;
  grpc: string;
  lifetime: string;
  fresh: number | null;
  apps: App[];
}

export interface App {
  /** The name as it came, which is what the kernel knows it by. */
  id: string;
  name: string;
  route: string;
  url: string;
  docs: string;
  status: string;
  message: string;
  since: number;
  figures: Figures;
  history: Point[];
  calls: Call[];
  answer: Answer | null;
  deployments: Deployment[];
}

export type Figures = Record<'rate' | 'p50' | 'p95' | 'p99' | 'errors' | 'total', number | null>;

export type Point = [ago: number, rate: number];

export interface Call {
  method: string;
  path: string;
  body: string;
}

export interface Answer {
  number: number;
  state: string;
  method: string;
  path: string;
  status: number | null;
  type: string;
  body: string;
  cut: number;
  seconds: number | null;
  error: string;
}

export interface Deployment {
  id: string;
  name: string;
  ingress: boolean;
  status: string;
  message: string;
  target: number;
  autoscaling: Autoscaling | null;
  maxOngoing: number;
  cpus: number;
  gpus: number;
  figures: Figures;
  died: number;
  replicas: Replica[];
}

export interface Autoscaling {
  min: number;
  max: number;
  target: number;
  why: string;
}

export interface Replica {
  id: string;
  name: string;
  state: string;
  version: string;
  node: string;
  pid: number;
  ongoing: number | null;
  age: number;
  log: string[];
  linesCut: number;
}

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
export const BODY_LENGTH = 100_000;
const STATE_LENGTH = 40;
const MESSAGE_LENGTH = 20_000;

export function readServe(snapshot: unknown): Serve {
  const serve = fields(snapshot);
  return {
    run: readRun(snapshot),
    http: text(serve.http),
    grpc: text(serve.grpc),
    lifetime: text(serve.lifetime),
    fresh: maybe(serve.fresh),
    apps: list(serve.apps).map(readApp),
  };
}

function readApp(value: unknown): App {
  const app = fields(value);
  return {
    id: id(app.name),
    name: text(app.name),
    route: text(app.route),
    url: text(app.url, 2000),
    docs: text(app.docs, 2000),
    status: text(app.status, STATE_LENGTH),
    message: text(app.message, MESSAGE_LENGTH),
    since: number(app.since),
    figures: readFigures(app.figures),
    history: list(app.history).map(readPoint).filter(point => point.every(Number.isFinite)),
    calls: list(app.calls).map(readCall).filter(call => METHODS.includes(call.method) && call.path.startsWith('/')),
    answer: readAnswer(app.answer),
    deployments: list(app.deployments).map(readDeployment),
  };
}

function readFigures(value: unknown): Figures {
  const { rate, p50, p95, p99, errors, total } = fields(value);
  return { rate: maybe(rate), p50: maybe(p50), p95: maybe(p95), p99: maybe(p99), errors: maybe(errors), total: maybe(total) };
}

function readPoint(value: unknown): Point {
  const [ago, rate] = list(value);
  return [typeof ago === 'number' ? ago : NaN, maybe(rate) ?? NaN];
}

function readCall(value: unknown): Call {
  const call = fields(value);
  return { method: text(call.method), path: text(call.path, 2000), body: text(call.body, BODY_LENGTH) };
}

function readAnswer(value: unknown): Answer | null {
  const answer = fields(value);
  if (!text(answer.state)) return null;
  return {
    number: number(answer.number),
    state: text(answer.state),
    method: text(answer.method, STATE_LENGTH),
    path: text(answer.path, 2000),
    status: maybe(answer.status),
    type: text(answer.type),
    body: text(answer.body, BODY_LENGTH),
    cut: number(answer.cut),
    seconds: maybe(answer.seconds),
    error: text(answer.error, MESSAGE_LENGTH),
  };
}

function readDeployment(value: unknown): Deployment {
  const one = fields(value);
  return {
    id: id(one.name),
    name: text(one.name),
    ingress: one.ingress === true,
    status: text(one.status, STATE_LENGTH),
    message: text(one.message, MESSAGE_LENGTH),
    target: number(one.target),
    autoscaling: one.autoscaling ? readAutoscaling(one.autoscaling) : null,
    maxOngoing: number(one.max_ongoing),
    cpus: number(one.cpus),
    gpus: number(one.gpus),
    figures: readFigures(one.figures),
    died: number(one.died),
    replicas: list(one.replicas).map(readReplica),
  };
}

function readAutoscaling(value: unknown): Autoscaling {
  const { min, max, target, why } = fields(value);
  return { min: number(min), max: number(max), target: number(target), why: text(why, 2000) };
}

function readReplica(value: unknown): Replica {
  const replica = fields(value);
  return {
    id: id(replica.id),
    name: text(replica.id),
    state: text(replica.state, STATE_LENGTH),
    version: text(replica.version, STATE_LENGTH),
    node: text(replica.node),
    pid: number(replica.pid),
    ongoing: maybe(replica.ongoing),
    age: number(replica.age),
    log: list(replica.log).map(line => text(line, 2000)),
    linesCut: number(replica.lines_cut),
  };
}
