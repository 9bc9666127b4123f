/** Keys of requests: what they say, what stands in for what is missing, and that no client can write another's. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createIdentity } from './identity.ts';
import { exchangeOf, manualClock, type TestRequest } from './policy.test.support.ts';
import { createRequestKey, oneKey, requestKeySchema } from './request-key.ts';

const clock = manualClock();

function keyOf(key: unknown, request: TestRequest): string {
  return createRequestKey(requestKeySchema.parse(key), clock).of(exchangeOf(request));
}

const ann = createIdentity({ kind: 'jwt', subject: 'ann', claims: { org: 'blue', level: 3, list: ['a'] } });
const acme = createIdentity({ kind: 'apiKey', credential: 'k1', consumer: 'acme' });
const guest = createIdentity({ kind: 'anonymous', consumer: 'guests' });

describe('a key', () => {
  const cases: [unknown, TestRequest, string][] = [
    ['ip', {}, '@192.0.2.7'],
    ['ip', { clientAddress: '2001:db8::1' }, '@2001:db8::/64'],
    ['route', {}, '=route'],
    ['identity', { identity: ann }, '=jwt:ann'],
    ['identity', { identity: acme }, '=apiKey#k1'],
    ['identity', { identity: guest }, '@192.0.2.7'],
    ['identity', {}, '@192.0.2.7'],
    ['consumer', { identity: acme }, '=$acme'],
    ['consumer', { identity: ann }, '=jwt:ann'],
    ['consumer', { identity: guest }, '@192.0.2.7'],
    ['consumer', {}, '@192.0.2.7'],
    [{ header: 'X-Client' }, { headers: { 'x-client': 'a' } }, '=a'],
    [{ header: 'x-client' }, { headers: { 'x-client': '' } }, '='],
    [{ header: 'x-client' }, {}, '@192.0.2.7'],
    [{ cookie: 'sid' }, { headers: { cookie: 'a=1; sid=7' } }, '=7'],
    [{ cookie: 'sid' }, {}, '@192.0.2.7'],
    [{ query: 'k' }, { query: 'k=a%20b&k=c' }, '=a b'],
    [{ claim: 'org' }, { identity: ann }, '=blue'],
    [{ claim: 'level' }, { identity: ann }, '=3'],
    [{ claim: 'list' }, { identity: ann }, '=["a"]'],
    [{ claim: 'toString' }, { identity: ann }, '@192.0.2.7'],
    [{ claim: 'org' }, {}, '@192.0.2.7'],
    [{ expression: 'request.path.split("/")[1]' }, { path: '/a/b' }, '=a'],
    [{ expression: 'request.headers["x-a"]' }, {}, '@192.0.2.7'],
    [['route', 'ip'], {}, '6=route10@192.0.2.7'],
    [['ip'], {}, '@192.0.2.7'],
  ];

  test.each(cases)('%j', (key, request, expected) => {
    expect(keyOf(key, request)).toBe(expected);
  });

  test('of one for all is one', () => {
    expect(oneKey.of(exchangeOf({ path: '/a' }))).toBe(oneKey.of(exchangeOf({ path: '/b', identity: ann })));
  });

  test('of parts is equal only where all parts are', () => {
    const part = fc.oneof(
      fc.constant(undefined),
      fc.string({ maxLength: 6 }),
      fc.constantFrom('=', '@', '1=', '2@a', ''),
    );
    const parts = fc.tuple(part, part);
    const join = ([a, b]: [string?, string?]): string => {
      const headers = { ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) };
      return keyOf([{ header: 'a' }, { header: 'b' }], { headers });
    };
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(join(one) === join(other)).toBe(one[0] === other[0] && one[1] === other[1]);
      }),
    );
  });

  test('is bounded, however long what a client sends', () => {
    const long = (char: string): string => keyOf({ header: 'x-a' }, { headers: { 'x-a': char.repeat(30_000) } });
    expect(long('a').length).toBeLessThan(200);
    expect(long('a')).not.toBe(long('b'));
    expect(keyOf({ header: 'x-a' }, { headers: { 'x-a': long('a').slice(1) } })).not.toBe(long('a'));
  });
});

test.each([
  'client',
  {},
  [],
  { header: 'a b' },
  { header: 'a', cookie: 'b' },
  { expression: '1 +' },
  { expression: 'identity.roles' },
  { claim: '' },
])('%j is refused', (key) => {
  expect(requestKeySchema.safeParse(key).success).toBe(false);
});

test('says for people by what', () => {
  const key = requestKeySchema.parse(['ip', { header: 'x-a' }, { expression: 'request.path' }]);
  expect(createRequestKey(key, clock).words).toBe('by address and header x-a and request.path');
});
