/** One health check over HTTP/2: the gRPC health protocol, or a GET judged by its status, on a session of its own. */
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type { HealthCheckConfig } from '../../config/model.ts';
import { formatGrpcTimeout, parseGrpcStatus } from '../../http/grpc.ts';
import { DEFAULT_TLS, tlsConnectOptions } from '../../net/upstream-tls.ts';
import { type Endpoint, isSecure } from '../endpoint.ts';
import type { CheckOutcome, ProbedService } from './active-check.ts';
import { HEALTH_PATH, healthRequest, parseHealthResponse, SERVING, SERVING_STATUSES } from './health-message.ts';
import { describeFailure, HEALTH_USER_AGENT, isExpected, LARGEST_BODY } from './http-probe.ts';

interface Question {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  /** What is longer is cut. */
  judge(answer: Answer): CheckOutcome;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** As `probeHttp`, for endpoints that speak HTTP/2 only. */
export function probeHttp2(
  endpoint: Endpoint,
  config: HealthCheckConfig,
  signal: AbortSignal,
  service: ProbedService,
): Promise<CheckOutcome> {
  const question = {
    headers: { ':method': 'GET', ':path': config.path, accept: '*/*' },
    body: Buffer.alloc(0),
    judge: ({ status }: Answer) => ({ passed: isExpected(status, config), reason: `status ${status}` }),
  };
  return ask(endpoint, question, signal, service);
}

/** As `probeHttp`, by `grpc.health.v1.Health/Check`: SERVING passes. */
export function probeGrpc(
  endpoint: Endpoint,
  config: HealthCheckConfig,
  signal: AbortSignal,
  service: ProbedService,
): Promise<CheckOutcome> {
  const question = {
    headers: {
      ':method': 'POST',
      ':path': HEALTH_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': formatGrpcTimeout(config.timeout),
    },
    body: healthRequest(config.grpcService),
    judge: judgeHealth,
  };
  return ask(endpoint, question, signal, service);
}

function judgeHealth({ status, headers, trailers, body }: Answer): CheckOutcome {
  if (status !== 200) return { passed: false, reason: `status ${status}` };
  const written = trailers['grpc-status'] ?? headers['grpc-status'];
  if (typeof written !== 'string') return { passed: false, reason: 'the answer has no grpc-status' };
  const grpcStatus = parseGrpcStatus(written);
  if (grpcStatus !== 0) return { passed: false, reason: `grpc-status ${grpcStatus}` };
  const health = parseHealthResponse(body);
  if (health < 0) return { passed: false, reason: 'the answer is no health status' };
  return { passed: health === SERVING, reason: SERVING_STATUSES[health] ?? 'a health status that is not known' };
}

function ask(
  endpoint: Endpoint,
  question: Question,
  signal: AbortSignal,
  service: ProbedService,
): Promise<CheckOutcome> {
  return new Promise((resolve) => {
    let session: ClientHttp2Session | null = null;
    const settle = (outcome: CheckOutcome): void => {
      session?.destroy();
      signal.removeEventListener('abort', onAbort);
      resolve(outcome);
    };
    const fail = (reason: string): void => settle({ passed: false, reason });
    const onAbort = (): void => fail('the check was given up');
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort);
    try {
      const secure = isSecure(service, endpoint.url);
      session = connect(`${secure ? 'https' : 'http'}://${endpoint.id}`, {
        ...(secure ? tlsConnectOptions(service.tls ?? DEFAULT_TLS, endpoint.host, 'h2') : {}),
        settings: { enablePush: false },
        // A server needs few streams and a small table to tell how it is.
        maxSessionMemory: 1,
      });
      session.on('error', (error) => fail(describeFailure(error)));
      session.on('close', () => fail('the connection was closed without an answer'));
      send(session, question, settle, fail);
    } catch (error) {
      fail(describeFailure(error));
    }
  });
}

function send(
  session: ClientHttp2Session,
  { headers, body, judge }: Question,
  settle: (outcome: CheckOutcome) => void,
  fail: (reason: string) => void,
): void {
  const stream = session.request({ ...headers, 'user-agent': HEALTH_USER_AGENT }, { endStream: body.length === 0 });
  let head: IncomingHttpHeaders & { ':status'?: number } = {};
  let trailers: IncomingHttpHeaders = {};
  const pieces: Buffer[] = [];
  let received = 0;
  const answer = (): Answer => ({ status: head[':status'] ?? 0, headers: head, trailers, body: Buffer.concat(pieces) });
  stream.on('response', (got) => {
    head = got;
  });
  stream.on('trailers', (got) => {
    trailers = got;
  });
  stream.on('data', (piece: Buffer) => {
    pieces.push(piece);
    received += piece.length;
    if (received > LARGEST_BODY) settle(judge(answer()));
  });
  stream.on('error', (error) => fail(describeFailure(error)));
  stream.on('close', () => {
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR && head[':status'] !== undefined) settle(judge(answer()));
    else fail('the answer was cut off');
  });
  if (body.length > 0) stream.end(body);
}
