/** One health check over HTTP: a GET on a connection of its own, judged by status, bounded in what it reads. */
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { HealthCheckConfig } from '../../config/model.ts';
import { DEFAULT_TLS, tlsConnectOptions } from '../../net/upstream-tls.ts';
import { type Endpoint, isSecure } from '../endpoint.ts';
import type { CheckOutcome, ProbedService } from './active-check.ts';

/** A health answer needs no more; what is longer is judged by its head and cut. Bytes. */
export const LARGEST_BODY = 64 * 1024;

export const HEALTH_USER_AGENT = 'portico-health/1';

/** Never rejects; settles, with its socket destroyed, as soon as the answer is judged or `signal` is aborted. */
export function probeHttp(
  endpoint: Endpoint,
  config: HealthCheckConfig,
  signal: AbortSignal,
  service: ProbedService,
): Promise<CheckOutcome> {
  return new Promise((resolve) => {
    try {
      const secure = isSecure(service, endpoint.url);
      const send = secure ? secureRequest : request;
      const exchange = send({
        ...(secure ? tlsConnectOptions(service.tls ?? DEFAULT_TLS, endpoint.host, 'http/1.1') : {}),
        host: endpoint.host,
        port: endpoint.port,
        path: config.path,
        method: 'GET',
        agent: false,
        signal,
        headers: { 'user-agent': HEALTH_USER_AGENT, accept: '*/*', connection: 'close' },
        insecureHTTPParser: false,
      });
      const settle = (passed: boolean, reason: string): void => {
        exchange.destroy();
        resolve({ passed, reason });
      };
      exchange.on('error', (error) => settle(false, describeFailure(error)));
      let missing = 'the connection was closed without an answer';
      // Comes after the end of a whole answer, and always: nothing else may leave the promise open.
      exchange.on('close', () => settle(false, missing));
      // Never asked for; without a listener the socket would be left to the parser's mercy.
      exchange.on('upgrade', (response, socket) => {
        socket.destroy();
        settle(false, `status ${response.statusCode}`);
      });
      exchange.on('response', (response) => {
        missing = 'the answer was cut off';
        judge(response, config, settle);
      });
      exchange.end();
    } catch (error) {
      resolve({ passed: false, reason: describeFailure(error) });
    }
  });
}

/** Judges by the status, but only once the answer has come whole: a server that cannot finish it is not well. */
function judge(
  response: IncomingMessage,
  config: HealthCheckConfig,
  settle: (passed: boolean, reason: string) => void,
): void {
  const status = response.statusCode ?? 0;
  const reason = `status ${status}`;
  if (!isExpected(status, config)) {
    settle(false, reason);
    return;
  }
  let received = 0;
  response.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > LARGEST_BODY) settle(true, reason);
  });
  response.on('end', () => settle(true, reason));
  response.on('error', () => {});
}

/** Whether the configuration calls a status good. */
export function isExpected(status: number, config: HealthCheckConfig): boolean {
  return config.expectStatus.some(([lowest, highest]) => status >= lowest && status <= highest);
}

/** Why a check failed. Node's own words or codes only: they carry addresses, never what the peer wrote. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the check itself failed';
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code.startsWith('HPE_')) return `not an HTTP answer (${code})`;
  return error.message === '' ? code : error.message;
}
