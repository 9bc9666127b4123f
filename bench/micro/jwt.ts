/**
 * What a token costs that was verified before, as `jwt` sees it in a request, and what the first sight of one costs:
 * `node --import jiti/register bench/micro/jwt.ts`.
 */
import { createHmac } from 'node:crypto';
import { jwt } from '../../src/policies/jwt/index.ts';
import { jwtSchema } from '../../src/policies/jwt/schema.ts';

const SECRET = 'correct-horse-battery-staple-0123456789a';
const TOKENS = 1000;
const LOOKUPS = 1_000_000;
const ROUNDS = 7;

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenOf(number: number): string {
  const claims = {
    iss: 'portico-test',
    aud: 'api',
    sub: `user-${number}`,
    roles: ['editor'],
    iat: 1,
    exp: 9_999_999_999,
  };
  const input = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

const authenticator = jwt.create(jwtSchema.parse({ issuer: 'portico-test', audience: 'api', secret: SECRET }), {
  clock: { now: () => performance.now(), wall: () => Date.now() },
  config: { tiers: {}, roles: {}, consumers: [] },
  share: (_: string, create: () => object) => create(),
} as never);

/** Heads as they come: the field is a slice of them, and a new one each time. */
const heads = Array.from({ length: TOKENS }, (_, i) => {
  const before = `GET /me HTTP/1.1\r\nHost: a.example\r\nAuthorization: `;
  return { text: `${before}Bearer ${tokenOf(i)}\r\n\r\n`, start: before.length };
});
let current = heads[0];
const exchange = { header: () => current.text.slice(current.start, -4), query: '' } as never;

async function first(): Promise<number> {
  const begun = process.hrtime.bigint();
  for (current of heads) {
    const outcome = await authenticator.authenticate(exchange);
    if ('reason' in outcome) throw new Error(outcome.reason);
  }
  return Number(process.hrtime.bigint() - begun) / TOKENS;
}

function again(): number {
  const begun = process.cpuUsage();
  for (let i = 0; i < LOOKUPS; i++) {
    current = heads[(i * 7919) % TOKENS];
    if (authenticator.authenticate(exchange) instanceof Promise) throw new Error('a token was forgotten');
  }
  const { user, system } = process.cpuUsage(begun);
  return ((user + system) * 1000) / LOOKUPS;
}

console.log(`${((await first()) / 1000).toFixed(1)} us a token at first sight (HS256)`);
const times = Array.from({ length: ROUNDS }, again).sort((a, b) => a - b);
console.log(
  `${times[ROUNDS >> 1].toFixed(0)} ns of CPU for a token seen before (median of ${ROUNDS}; ${times[0].toFixed(0)} to ${times[ROUNDS - 1].toFixed(0)})`,
);
