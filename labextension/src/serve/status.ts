/** The status of what is served, as the kernel sends it (tests/data/serve.json). */
import { asId, asList, asListOf, asNumber, asNumberOrNull, asObject, asText, asTextUpTo, fromKey, isTrue } from '../core/json-readers';
import { readRun, type Run } from '../core/status';

export type Serve = { run: Run } & ReturnType<typeof readServed>;
export type Application = ReturnType<typeof readApplication>;
export type Deployment = ReturnType<typeof readDeployment>;
export type Autoscaling = ReturnType<typeof readAutoscaling>;
export type Replica = ReturnType<typeof readReplica>;
export type RequestMetrics = ReturnType<typeof readMetrics>;
export type RatePoint = [ago: number, rate: number];
export type ExampleRequest = ReturnType<typeof readExample>;
export type HttpResponse = ReturnType<typeof readResponse>;

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
export const MAX_BODY_LENGTH = 100_000;

const asStateName = asTextUpTo(40);
const asMessage = asTextUpTo(20_000);
const asAddress = asTextUpTo(2000);

const readMetrics = asObject({
  rate: asNumberOrNull,
  p50: asNumberOrNull,
  p95: asNumberOrNull,
  p99: asNumberOrNull,
  errors: asNumberOrNull,
  total: asNumberOrNull,
});

const readExample = asObject({
  method: asText,
  path: asAddress,
  body: asTextUpTo(MAX_BODY_LENGTH),
});

const readResponse = asObject({
  number: asNumber,
  state: asText,
  method: asStateName,
  path: asAddress,
  status: asNumberOrNull,
  type: asText,
  body: asTextUpTo(MAX_BODY_LENGTH),
  /** How many bytes of the body are not here. */
  cut: asNumber,
  seconds: asNumberOrNull,
  error: asMessage,
});

const readReplica = asObject({
  id: asId,
  name: fromKey('id', asText),
  state: asStateName,
  version: asStateName,
  node: asText,
  pid: asNumber,
  ongoing: asNumberOrNull,
  age: asNumber,
  log: asListOf(asTextUpTo(2000)),
  linesCut: fromKey('lines_cut', asNumber),
});

const readAutoscaling = asObject({
  min: asNumber,
  max: asNumber,
  target: asNumber,
  why: asTextUpTo(2000),
});

const readDeployment = asObject({
  id: fromKey('name', asId),
  name: asText,
  ingress: isTrue,
  status: asStateName,
  message: asMessage,
  target: asNumber,
  autoscaling: value => (value ? readAutoscaling(value) : null),
  maxOngoing: fromKey('max_ongoing', asNumber),
  cpus: asNumber,
  gpus: asNumber,
  metrics: fromKey('figures', readMetrics),
  died: asNumber,
  replicas: asListOf(readReplica),
});

const readApplication = asObject({
  /** The name as it came, which is what the kernel knows it by. */
  id: fromKey('name', asId),
  name: asText,
  route: asText,
  url: asAddress,
  docs: asAddress,
  status: asStateName,
  message: asMessage,
  since: asNumber,
  metrics: fromKey('figures', readMetrics),
  history: value => asList(value).map(readRatePoint).filter(point => point.every(Number.isFinite)),
  examples: fromKey('calls', value => asListOf(readExample)(value).filter(({ method, path }) => METHODS.includes(method) && path.startsWith('/'))),
  response: fromKey('answer', value => {
    const response = readResponse(value);
    return response.state ? response : null;
  }),
  deployments: asListOf(readDeployment),
});

const readServed = asObject({
  http: asText,
  grpc: asText,
  lifetime: asText,
  /** How many seconds old the metrics may be. */
  fresh: asNumberOrNull,
  applications: fromKey('apps', asListOf(readApplication)),
});

export function readServe(snapshot: unknown): Serve {
  return { run: readRun(snapshot), ...readServed(snapshot) };
}

function readRatePoint(value: unknown): RatePoint {
  const [ago, rate] = asList(value);
  return [typeof ago === 'number' ? ago : NaN, asNumberOrNull(rate) ?? NaN];
}
