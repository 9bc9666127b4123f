/** `bodyLimit`: what is refused at once, and what only its end tells. */
import { expect, test } from 'vitest';
import { exchangeOf, servicesOf } from '../../pipeline/policy.test.support.ts';
import { bodyLimit } from './index.ts';

const UNBOUNDED = Number.POSITIVE_INFINITY;

test.each([
  ['64KiB', 65_536, undefined, UNBOUNDED],
  ['64KiB', 65_537, 'payload_too_large', UNBOUNDED],
  ['64KiB', 0, undefined, UNBOUNDED],
  ['64KiB', -1, undefined, 65_536],
  ['0B', 0, undefined, UNBOUNDED],
  ['0B', 1, 'payload_too_large', UNBOUNDED],
  [1, -1, undefined, 1],
])('of %s, a body of %s', (max, bodyLength, code, bound) => {
  const hooks = bodyLimit.create(bodyLimit.schema.parse({ max }), servicesOf());
  const exchange = exchangeOf({ bodyLength });
  const reply = hooks.onRequest?.(exchange);
  expect(reply === undefined ? undefined : (reply as { code?: string }).code).toBe(code);
  expect(exchange.bodyMax).toBe(bound);
});

test.each([{}, { max: -1 }, { max: '1.5' }, { max: '10 apples' }, { max: '2000GiB' }])(
  '%j are no options',
  (options) => {
    expect(bodyLimit.schema.safeParse(options).success).toBe(false);
  },
);

test('says for people what it does', () => {
  const options = bodyLimit.schema.parse({ max: '64KiB' });
  expect(bodyLimit.create(options, servicesOf()).effect).toBe('refuses bodies of more than 64KiB');
});
