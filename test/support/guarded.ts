/** An origin behind a gateway with policies on its routes, and a way to ask for it: for tests of who may call. */
import type { Logger } from '../../src/base/logger.ts';
import { configWith, startTestGateway, type TestGateway } from './gateway.ts';
import { rawClient } from './raw-client.ts';
import { type Origin, type OriginScript, okAnswer, startOrigin } from './raw-origin.ts';
import type { WireRequest } from './wire-request.ts';
import type { WireResponse } from './wire-response.ts';

export interface Guarded {
  readonly gateway: TestGateway;
  readonly origin: Origin;
  /** Sends one request on a connection of its own; `fields` are lines, each with its CRLF. */
  ask(target: string, fields?: string, method?: string, body?: string): Promise<WireResponse>;
  /** The config with other routes, for a reload. */
  config(routes: Readonly<Record<string, object[]>>): object;
  close(): Promise<void>;
}

/** Starts both; `routes` are lists of policies by path, and `more` keys of the configuration. */
export async function startGuarded(
  routes: Readonly<Record<string, object[]>>,
  more: object = {},
  logger?: Logger,
): Promise<Guarded> {
  const origin = await startOrigin({ onRequest: (request, connection) => connection.write(okAnswer(request)) });
  const config: Guarded['config'] = (paths) =>
    configWith({
      services: [{ name: 'origin', endpoints: [origin.url] }],
      routes: Object.entries(paths).map(([path, policies]) => ({
        name: path.slice(1),
        match: { path },
        service: 'origin',
        policies,
      })),
      ...more,
    });
  const gateway = await startTestGateway(config(routes), [], logger);
  return {
    gateway,
    origin,
    config,
    ask: async (target, fields = '', method = 'GET', body = '') => {
      const client = await rawClient(gateway.port);
      try {
        await client.send(`${method} ${target} HTTP/1.1\r\nHost: a.example:81\r\n${fields}\r\n${body}`);
        return await client.answer(method);
      } finally {
        client.close();
      }
    },
    close: async () => {
      await gateway.close();
      await origin.close();
    },
  };
}

/** A service that a policy asks: answers with the bytes that the test gives for a request. */
export function startAsked(answer: (request: WireRequest) => string): Promise<Origin> {
  const script: OriginScript = { onRequest: (request, connection) => connection.write(answer(request)) };
  return startOrigin(script);
}

/** An answer with a JSON body. */
export function jsonAnswer(value: unknown, status = '200 OK'): string {
  const body = JSON.stringify(value);
  const length = Buffer.byteLength(body);
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${Buffer.from(body).toString('latin1')}`;
}
