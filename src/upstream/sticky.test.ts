/** The cookie of a sticky service: what it says, what of it is believed, and who is left in peace by it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceConfig } from '../config/model.ts';
import { createServices } from './create-services.ts';
import { ManualTime } from './manual-time.test.support.ts';
import { FakePool, RecordingLogger, serviceConfig } from './service.test.support.ts';
import type { Service } from './service.ts';
import type { Sticky } from './sticky.ts';

const A = 'http://10.0.0.1';
const B = 'http://10.0.0.2';
const client = { clientAddress: '192.0.2.1' };
const HOUR = 3_600_000;

interface Options {
  readonly name?: string;
  readonly urls?: readonly (string | [string, number])[];
  readonly sticky?: { cookie?: string; ttl?: number; secret?: string };
  readonly secret?: Uint8Array;
  readonly time?: ManualTime;
  readonly previous?: Service<FakePool>;
  readonly changes?: Partial<ServiceConfig>;
}

function setUp({ name = 'chat', urls = [A, B], sticky = {}, secret, time, previous, changes }: Options = {}) {
  const clock = time ?? new ManualTime();
  const config = serviceConfig(name, urls, {
    loadBalancing: { algorithm: 'round-robin', sticky: { cookie: 'sid', ttl: HOUR, ...sticky } },
    ...changes,
  });
  const service = createServices([config], previous === undefined ? null : new Map([[name, previous]]), {
    clock,
    timers: clock,
    logger: new RecordingLogger(),
    random: () => 0.5,
    createPool: () => new FakePool(),
    check: () => new Promise(() => {}),
    onHealthChange: () => {},
    ...(secret === undefined ? {} : { secret }),
  }).get(name)!;
  service.commit();
  return { service, time: clock, sticky: service.sticky!, a: service.endpoints[0], b: service.endpoints[1] };
}

const FRESH = { endpoint: null, renew: true };

/** `name=value` of a Set-Cookie. */
function pairOf(setCookie: string | null): string {
  return setCookie!.split(';')[0];
}

function given(sticky: Sticky<FakePool>, endpoint: Service<FakePool>['endpoints'][number]): string {
  return pairOf(sticky.cookieFor(FRESH, endpoint, false));
}

describe('the cookie', () => {
  it('has the attributes that keep it to the gateway, and Secure where the client came by TLS', () => {
    const { sticky, a } = setUp();
    const [plain, tls] = [sticky.cookieFor(FRESH, a, false), sticky.cookieFor(FRESH, a, true)];
    expect(plain).toMatch(/^sid=[A-Za-z0-9_-]{60}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
    expect(tls).toBe(`${plain}; Secure`);
  });

  it('shows nothing of the address, not even a hash that others could make', () => {
    const { sticky, a } = setUp();
    const bytes = Buffer.from(given(sticky, a).slice(4), 'base64url');
    expect(bytes.toString('latin1')).not.toContain('10.0.0.1');
    const other = Buffer.from(given(setUp().sticky, a).slice(4), 'base64url');
    // The same endpoint, version and time; another key.
    expect(other.subarray(1, 9)).not.toEqual(bytes.subarray(1, 9));
  });

  it('names its endpoint until its time is over, and is renewed in the second half', () => {
    const { sticky, a, b, time } = setUp({ sticky: { ttl: 10_000 } });
    const cookie = given(sticky, b);
    const states: [number, unknown][] = [
      [0, { endpoint: b, renew: false }],
      [4900, { endpoint: b, renew: false }],
      [200, { endpoint: b, renew: true }],
      [4000, { endpoint: b, renew: true }],
      [1000, FRESH],
    ];
    for (const [pass, expected] of states) {
      time.skip(pass);
      expect(sticky.read(cookie)).toEqual(expected);
    }
    const young = { endpoint: b, renew: false };
    expect(sticky.cookieFor(young, b, false)).toBeNull();
    expect(sticky.cookieFor({ ...young, renew: true }, b, false)).toContain('sid=');
    expect(sticky.read(pairOf(sticky.cookieFor(young, a, false)))).toEqual({ endpoint: a, renew: false });
  });

  it('that was given for longer than it now may last is set anew', () => {
    const secret = Buffer.from('s');
    const cookie = given(setUp({ secret }).sticky, setUp({ secret }).a);
    const shorter = setUp({ secret, sticky: { ttl: 60_000 } });
    expect(shorter.sticky.read(cookie)).toEqual({ endpoint: shorter.a, renew: true });
  });

  it('is found among others, in any place, by its whole name', () => {
    const { sticky, a } = setUp();
    const cookie = given(sticky, a);
    const found = { endpoint: a, renew: false };
    const old = `sid=${'A'.repeat(60)}`;
    const texts: [string, unknown][] = [
      [cookie, found],
      [`a=1; ${cookie}; b=2`, found],
      [`a=1;${cookie}`, found],
      [`  ${cookie} ;x`, found],
      [`sid=short; ${cookie}`, found],
      [`${old}; ${old}; ${old}; ${cookie}`, found],
      // Each look costs a hash: a client cannot ask for any number.
      [`${old}; ${old}; ${old}; ${old}; ${cookie}`, FRESH],
      [`x${cookie}`, FRESH],
      [`SID${cookie.slice(3)}`, FRESH],
      [`a=${cookie}`, FRESH],
      [`a="; ${cookie}`, found],
      [cookie.replace('sid=', 'sid ='), FRESH],
      [`sid="${cookie.slice(4)}"`, FRESH],
      [`${cookie}A`, FRESH],
      [cookie.slice(0, -1), FRESH],
      ['sid', FRESH],
      ['sid=', FRESH],
      ['', FRESH],
      [`sid=${'A'.repeat(100_000)}`, FRESH],
      ['sid='.repeat(20_000), FRESH],
    ];
    for (const [text, expected] of texts)
      expect([text.slice(0, 80), sticky.read(text)]).toEqual([text.slice(0, 80), expected]);
    expect(sticky.read(undefined)).toEqual(FRESH);
  });

  it('is not believed with one bit changed', () => {
    const { sticky, a } = setUp();
    const bytes = Buffer.from(given(sticky, a).slice(4), 'base64url');
    expect(bytes).toHaveLength(45);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Buffer.from(bytes);
      forged[bit >> 3] ^= 1 << (bit & 7);
      expect(sticky.read(`sid=${forged.toString('base64url')}`)).toEqual(FRESH);
    }
  });

  it('is never found in what others made up', () => {
    const { sticky } = setUp();
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ minLength: 45, maxLength: 45 }).map((bytes) => `sid=${Buffer.from(bytes).toString('base64url')}`),
      fc.array(fc.constantFrom('sid=', ';', ' ', 'A'.repeat(60), '=', '\t', 'sid')).map((parts) => parts.join('')),
    );
    fc.assert(fc.property(texts, (text) => sticky.read(text).endpoint === null));
  });
});

describe('the key', () => {
  const cookieOf = ({ sticky, a }: ReturnType<typeof setUp>): string => given(sticky, a);
  const start = Buffer.alloc(32, 1);
  const secret = 'sixteen characters';
  const pairs: [string, Options, Options, boolean][] = [
    ['one start, one key', { secret: start }, { secret: start }, true],
    ['another start', { secret: start }, { secret: Buffer.alloc(32, 2) }, false],
    ['two gateways with one secret', { sticky: { secret }, secret: start }, { sticky: { secret } }, true],
    ['another secret', { sticky: { secret } }, { sticky: { secret: `${secret}!` } }, false],
    ['another service', { sticky: { secret } }, { sticky: { secret }, name: 'other' }, false],
    ['endpoints in another order', { secret: start }, { secret: start, urls: [B, A] }, true],
    ['the endpoint is gone', { secret: start }, { secret: start, urls: [B, 'http://10.0.0.3:80'] }, false],
  ];

  it.each(pairs)('%s', (_, one, other, good) => {
    const cookie = cookieOf(setUp(one));
    const { sticky, service } = setUp(other);
    const { endpoint } = sticky.read(cookie);
    expect(endpoint?.url ?? null).toBe(good ? A : null);
    if (endpoint !== null) expect(service.endpoints).toContain(endpoint);
  });

  it('stays over reloads, with the secret of the start and where nobody gave one', () => {
    for (const secret of [start, undefined]) {
      const time = new ManualTime();
      const options: Options = { time, ...(secret === undefined ? {} : { secret }) };
      const first = setUp(options);
      const cookie = cookieOf(first);
      const second = setUp({ ...options, previous: first.service, sticky: { ttl: 2 * HOUR } });
      expect(second.sticky.read(cookie).endpoint).toBe(first.a);
    }
  });
});

describe('choosing', () => {
  it('takes the endpoint that the cookie names, whatever the turn is, and moves on where it may not', () => {
    const { service, a, b } = setUp();
    const claim = { endpoint: b, renew: false };
    for (let i = 0; i < 3; i++) expect(service.pickClaimed(claim, client, null)).toBe(b);
    expect(service.pickClaimed(claim, client, [b])).toBe(a);
    service.applyVerdict(b, false, 'down');
    expect(service.pickClaimed(claim, client, null)).toBe(a);
    service.applyVerdict(a, false, 'down');
    expect(service.pickClaimed(claim, client, null)).toBeNull();
    service.applyVerdict(b, true, 'up');
    expect(service.pickClaimed(claim, client, null)).toBe(b);
  });

  it('brings back one whose rest is over', () => {
    const { service, time, b } = setUp();
    service.applyVerdict(b, false, 'failures');
    expect(service.pickClaimed({ endpoint: b, renew: false }, client, null)).not.toBe(b);
    time.skip(10_000);
    expect(service.pickClaimed({ endpoint: b, renew: false }, client, null)).toBe(b);
  });

  it('leaves an endpoint that is drained, and in panic keeps to one that is down', () => {
    const drained = setUp({
      changes: {
        endpoints: [
          { url: A, weight: 1 },
          { url: B, weight: 1, drain: true },
        ],
      },
    });
    expect(drained.service.pickClaimed({ endpoint: drained.b, renew: false }, client, null)).toBe(drained.a);
    const panic = setUp({ changes: { panic: true } });
    for (const endpoint of [panic.a, panic.b]) panic.service.applyVerdict(endpoint, false, 'down');
    expect(panic.service.pickClaimed({ endpoint: panic.b, renew: false }, client, null)).toBe(panic.b);
  });
});
