/** A gateway with a key store, asked as operators and as clients do. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { KeyPicture } from '../../src/gateway/key-desk.ts';
import { startManagedTest, type TestManaged } from './managed.ts';
import { type SkippingClock, skippingClock } from './skipping-clock.ts';

const TOKEN = 'a-token-for-the-tests';

export interface KeyAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface KeyGateway {
  readonly gateway: TestManaged;
  readonly clock: SkippingClock;
  /** What was logged, in order. */
  readonly logged: readonly { readonly message: string; readonly fields: LogFields }[];
  /** Of the admin API; the body is sent as JSON. */
  ask(method: string, path: string, body?: unknown): Promise<KeyAnswer>;
  /** Makes a key, and answers what was told of it. */
  create(wish?: object): Promise<KeyPicture & { readonly key: string }>;
  /** As the one route answers that asks for a key. */
  use(key: string): Promise<KeyAnswer>;
}

async function answerOf(
  port: number,
  method: string,
  path: string,
  headers: object,
  body?: string,
): Promise<KeyAnswer> {
  const sent = request({ host: '127.0.0.1', port, path, method, agent: false, headers: { ...headers } });
  sent.end(body);
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** `state` is that of the configuration, and `more` is put after it. */
export async function startKeyGateway(state: object, more = '', directory?: string): Promise<KeyGateway> {
  const logged: { message: string; fields: LogFields }[] = [];
  const note = (message: string, fields: LogFields = {}): void => void logged.push({ message, fields });
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note };
  const config = `version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", token: ${TOKEN} }
shutdown: { drain: 0ms, timeout: 1s }
logging: { level: info, access: false }
state: ${JSON.stringify(state)}
tiers: { pro: { rate: 100 }, free: { rate: 10 } }
consumers:
  - name: acme
    tier: pro
    metadata: { region: eu }
    apiKeys: [{ id: acme01, sha256: "7a2f7564ce78935a49d041e372d84e4ac1eb2430e9160e1683fd7e886dfef347", scopes: ["orders:read"] }]
routes:
  - { name: orders, match: { path: /orders }, policies: [{ apiKey: {} }], respond: { status: 200 } }
  - { name: writes, match: { path: /writes }, policies: [{ apiKey: { scopes: ["orders:write"] } }], respond: { status: 200 } }
${more}`;
  const clock = skippingClock();
  const gateway = await startManagedTest(more.includes('workers:') ? config : `${config}\nworkers: 1\n`, {
    logger,
    clock,
    ...(directory === undefined ? {} : { directory }),
  });
  const admin = Number(gateway.admin.split(':')[2]);
  const ask: KeyGateway['ask'] = (method, path, body) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${TOKEN}`, ...type };
    return answerOf(admin, method, path, headers, body === undefined ? undefined : JSON.stringify(body));
  };
  return {
    gateway,
    clock,
    logged,
    ask,
    async create(wish = {}) {
      const { status, body } = await ask('POST', '/keys', { consumer: 'acme', ...wish });
      if (status !== 201) throw new Error(`${status} ${body}`);
      return JSON.parse(body);
    },
    use: (key) => answerOf(gateway.port, 'GET', '/orders', { 'x-api-key': key }),
  };
}
