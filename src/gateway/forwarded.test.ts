/** Who is believed to be the client, and what the upstream is told of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAD_COMPLETE } from '../http/head-parser.ts';
import { RequestParser } from '../http/request-parser.ts';
import { hostOf, parseTarget, type Target } from '../http/target.ts';
import type { ClientStream, ListenerInfo } from '../net/stream.ts';
import { clientAddressOf, forwardedLines, memoOf, otherAddressOf } from './forwarded.ts';
import { createProxyTrust, type ProxyTrust } from './proxy-trust.ts';

const trustedProxies = ['10.0.0.0/8', '2001:db8:ffff::/48'];
const TRUSTED = createProxyTrust({ trustedProxies });
const CUSTOMARY = createProxyTrust({ trustedProxies, clientAddressFrom: 'x-forwarded-for' });
const STANDARD = createProxyTrust({ trustedProxies, clientAddressFrom: 'forwarded' });
const PROXY = '10.0.0.1';
const CLIENT = '192.0.2.7';
const FORGED = '6.6.6.6';
const LISTENER: ListenerInfo = { name: 'test', scheme: 'http', port: 8080 };

interface Given {
  from?: string;
  host?: string | null;
  target?: string;
  listener?: ListenerInfo;
}

/** A stream as a connection gives it, for the head of one request. */
function streamOf(
  fields: string,
  { from = PROXY, host = 'shop.example', target = '/', listener = LISTENER }: Given = {},
) {
  const head = new RequestParser(1024 * 1024);
  const lines = host === null ? fields : `Host: ${host}\r\n${fields}`;
  const bytes = Buffer.from(`GET ${target} HTTP/1.${host === null ? 0 : 1}\r\n${lines}\r\n`, 'latin1');
  expect(head.execute(bytes, 0, bytes.length)).toBe(HEAD_COMPLETE);
  const into: Target = { path: '', query: '', hasQuery: false, authority: null };
  expect(parseTarget('GET', target, into)).toBe(true);
  const authority = into.authority ?? host ?? '';
  const stream: Partial<ClientStream> = {
    head,
    listener,
    memo: null,
    remoteAddress: from,
    target: into,
    authority,
    host: hostOf(authority),
  };
  return stream as ClientStream;
}

function clientOf(fields: string, from = PROXY, trust = TRUSTED): string | null {
  const stream = streamOf(fields, { from });
  return clientAddressOf(stream, memoOf(stream, trust));
}

/** The lines for the upstream, by lower-case name. */
function linesOf(stream: ClientStream, trust = TRUSTED): Record<string, string> {
  const text = forwardedLines(stream, memoOf(stream, trust));
  expect(text).toMatch(/^(?:[A-Za-z-]+: [^\r\n]+\r\n)+$/);
  const pairs = text
    .trimEnd()
    .split('\r\n')
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]);
  expect(new Set(pairs.map(([name]) => name)).size).toBe(pairs.length);
  return Object.fromEntries(pairs);
}

const list = (name: string, ...values: string[]): string => values.map((value) => `${name}: ${value}\r\n`).join('');
const xff = (...values: string[]): string => list('X-Forwarded-For', ...values);
const forwarded = (...values: string[]): string => list('Forwarded', ...values);

describe('the address of the client', () => {
  const cases: [string, string, string | null][] = [
    ['the proxy itself when it says nothing', '', PROXY],
    ['the one that the proxy names', xff(CLIENT), CLIENT],
    ['the rightmost that is no proxy', xff(`${FORGED}, ${CLIENT}, 10.1.1.1, 10.2.2.2`), CLIENT],
    ['the same over several lines', xff(FORGED, CLIENT, '10.1.1.1'), CLIENT],
    ['the first of a chain of proxies only', xff('10.3.3.3, 10.2.2.2'), '10.3.3.3'],
    ['found whatever white space is there', xff(`${FORGED} ,\t${CLIENT}\t,10.1.1.1`), CLIENT],
    ['an IPv4 address without its port', xff(`${CLIENT}:4711`), CLIENT],
    ['an IPv6 address in its one form', xff('2001:DB8:0:0::7'), '2001:db8::7'],
    ['an IPv6 address without brackets', xff('[2001:db8::7]'), '2001:db8::7'],
    ['an IPv6 address without brackets and port', xff('[2001:db8::7]:4711'), '2001:db8::7'],
    ['behind a proxy of IPv6', xff(`${CLIENT}, [2001:db8:ffff::1]:80`), CLIENT],
    ['an IPv4 address that IPv6 carries', xff(`::ffff:${CLIENT}`), CLIENT],
    ['behind a proxy whose IPv4 address IPv6 carries', xff(`${CLIENT}, ::ffff:10.1.1.1`), CLIENT],
    ['the last sure one where a name stands', xff(`${FORGED}, unknown, 10.1.1.1`), '10.1.1.1'],
    ['the last sure one where nothing stands', xff(`${FORGED}, , 10.1.1.1`), '10.1.1.1'],
    ['the proxy where the list ends in nothing', xff(`${FORGED},`), PROXY],
    ['the proxy where the field is empty', xff(''), PROXY],
    ['the proxy where a number has a zero too many', xff('192.0.2.07'), PROXY],
    ['the proxy where a bracket is open', xff('[2001:db8::7'), PROXY],
    ['the proxy where a zone is named', xff('fe80::1%eth0'), PROXY],
    [
      'never found beyond what is read of a long chain',
      xff(`${FORGED}, ${'10.1.1.1, '.repeat(999)}10.2.2.2`),
      '10.1.1.1',
    ],
    ['found at once in a long chain of others', xff(`${`${FORGED}, `.repeat(999)}${CLIENT}`), CLIENT],

    ['what Forwarded names', forwarded(`for=${CLIENT}`), CLIENT],
    ['the rightmost of Forwarded that is no proxy', forwarded(`for=${FORGED}, for=${CLIENT}, for=10.1.1.1`), CLIENT],
    [
      'the same over several lines of Forwarded',
      forwarded(`for=${FORGED}`, `for=${CLIENT};proto=http, for=10.1.1.1`),
      CLIENT,
    ],
    ['in Forwarded in quotes, with its port', forwarded(`for="${CLIENT}:4711"`), CLIENT],
    ['in Forwarded with its port and no quotes', forwarded(`for=${CLIENT}:4711`), CLIENT],
    ['in Forwarded of IPv6', forwarded('For="[2001:db8::7]:4711"'), '2001:db8::7'],
    ['in Forwarded of IPv6 without quotes', forwarded('for=[2001:db8::7]'), '2001:db8::7'],
    ['in Forwarded with escapes', forwarded('for="192.0.2\\.7"'), CLIENT],
    ['in Forwarded wherever the parameter stands', forwarded(`proto=https; FOR = ${CLIENT} ;by=_x`), CLIENT],
    ['in Forwarded beside an empty parameter', forwarded(`host=;for=${CLIENT};`), CLIENT],
    ['in Forwarded after a comma in quotes', forwarded(`for=${CLIENT};by="_a, for=${FORGED}"`), CLIENT],
    ['in Forwarded after an escaped quote', forwarded(`by="a\\", for=${FORGED};b=\\"";for=${CLIENT}`), CLIENT],
    ['in Forwarded not by the end of another name', forwarded(`xfor=${FORGED};for=${CLIENT}`), CLIENT],
    ['the proxy where Forwarded hides it', forwarded(`for=${FORGED}, for=_hidden`), PROXY],
    [
      'the last sure one where Forwarded does not know',
      forwarded(`for=${FORGED}, for=unknown, for=10.1.1.1`),
      '10.1.1.1',
    ],
    ['the last sure one where Forwarded has no for', forwarded(`for=${FORGED}, proto=http, for=10.1.1.1`), '10.1.1.1'],
    ['the proxy where Forwarded is empty', forwarded(''), PROXY],
    ['the proxy where one element says two things', forwarded(`for=${FORGED};for=${CLIENT}`), PROXY],
    // Clients write what stands left of the proxy's own element: it must stay theirs.
    ['nobody where a quote is left open', forwarded(`for=${FORGED};a="`, `for=${CLIENT}`), null],
    ['nobody where a quote is closed by the proxy', forwarded(`for=${FORGED};a="`, 'for="[2001:db8::7]"'), null],
    ['nobody where an escape is left open', forwarded(`for=${FORGED};a="\\`, 'for="[2001:db8::7]"'), null],
    ['not forged within quotes', forwarded(`host="a;for=${FORGED}";for=${CLIENT}`), CLIENT],

    ['by X-Forwarded-For where both are there', forwarded('for=192.0.2.8') + xff(CLIENT), CLIENT],
  ];

  test.each(cases)('is %s', (_, fields, expected) => {
    expect(clientOf(fields)).toBe(expected);
    // Nobody else is believed.
    for (const from of [CLIENT, '192.0.2.99', '2001:db8::99', '']) expect(clientOf(fields, from)).toBe(from);
  });

  test('is never one that a client could have made up, however it fills the fields', () => {
    const junk = fc.string({
      unit: fc.constantFrom(...'"\\;,= []', 'for=', FORGED, '10.1.1.1', 'a', '[2001:db8::6]'),
      maxLength: 30,
    });
    const own = fc.constantFrom(`for=${CLIENT}`, `for="${CLIENT}"`, `by="_a";for="${CLIENT}:1";host="a.b"`);
    fc.assert(
      fc.property(junk, own, (written, element) => {
        // A proxy that adds what it knows, to the same line or in one of its own.
        for (const fields of [forwarded(`${written}, ${element}`), forwarded(written, element)]) {
          expect([CLIENT, PROXY, null]).toContain(clientOf(fields));
        }
        expect(clientOf(xff(`${written}, ${CLIENT}`))).toBe(CLIENT);
      }),
      { numRuns: 3000 },
    );
  });

  test('costs no more than its length', () => {
    const kindOf = (address: string | null) => (address === null ? null : typeof address);
    for (const piece of [' ', '"', ';', 'a', '=', 'for=', '\\', ';for ', '; ', '="', '"\\']) {
      const filler = piece.repeat(200_000 / piece.length);
      // An answer at all: what is not linear takes minutes here, and the test runs out of time.
      for (const end of ['', 'x', '"', ',for=1.1.1.1']) {
        expect([null, 'string']).toContain(kindOf(clientOf(forwarded(`for=${filler}${end}`))));
        expect([null, 'string']).toContain(kindOf(clientOf(forwarded(`${filler}${end}`))));
      }
    }
  });
});

describe('the one field that is believed', () => {
  const both = xff(FORGED) + forwarded(`for=${CLIENT}`);
  const broken = xff(CLIENT) + forwarded(`for=${FORGED};a="`);
  test.each<[string, string, string | null, string | null, string | null]>([
    // By both, by X-Forwarded-For alone, by Forwarded alone.
    ['both, of two clients', both, FORGED, FORGED, CLIENT],
    ['both, of one client', xff(CLIENT) + forwarded(`for=${CLIENT}`), CLIENT, CLIENT, CLIENT],
    ['X-Forwarded-For alone', xff(CLIENT), CLIENT, CLIENT, PROXY],
    ['Forwarded alone', forwarded(`for=${CLIENT}`), CLIENT, PROXY, CLIENT],
    ['both, and an empty X-Forwarded-For', xff('') + forwarded(`for=${CLIENT}`), PROXY, PROXY, CLIENT],
    ['both, and a malformed Forwarded', broken, CLIENT, CLIENT, null],
    ['a malformed Forwarded alone', forwarded('for="'), null, PROXY, null],
    ['neither', 'X-Forwarded-Proto: https\r\n', PROXY, PROXY, PROXY],
  ])('is the one that is named, or X-Forwarded-For, for a request with %s', (_, fields, ...expected) => {
    const trusts = [TRUSTED, CUSTOMARY, STANDARD];
    expect(trusts.map((trust) => clientOf(fields, PROXY, trust))).toEqual(expected);
    expect(trusts.map((trust) => clientOf(fields, CLIENT, trust))).toEqual([CLIENT, CLIENT, CLIENT]);
  });

  test('is the only one that says anything, whatever is in the other', () => {
    const value = fc.string({
      unit: fc.constantFrom(...'";, =', 'for=', FORGED, '10.1.1.1', 'unknown'),
      maxLength: 20,
    });
    fc.assert(
      fc.property(value, value, (customary, standard) => {
        const [x, f] = [xff(customary), forwarded(standard)];
        for (const [trust, own] of [[CUSTOMARY, x] as const, [STANDARD, f] as const]) {
          expect(clientOf(x + f, PROXY, trust)).toBe(clientOf(own, PROXY, trust));
          expect(linesOf(streamOf(x + f), trust)).toEqual(linesOf(streamOf(own), trust));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('two fields', () => {
  test.each<[string, string, ProxyTrust, string, string | null]>([
    ['of two clients dispute', xff(FORGED) + forwarded(`for=${CLIENT}`), TRUSTED, PROXY, CLIENT],
    ['of a client and an obscured one dispute', xff(FORGED) + forwarded('for=_hidden'), TRUSTED, PROXY, PROXY],
    ['dispute where one is malformed', xff(FORGED) + forwarded(`for="`, `for=${CLIENT}`), TRUSTED, PROXY, null],
    ['agree', xff(`${FORGED}, ${CLIENT}`) + forwarded(`for="${CLIENT}:80"`), TRUSTED, PROXY, CLIENT],
    ['agree over chains', xff(`${CLIENT}, 10.1.1.1`) + forwarded(`for=${CLIENT}`), TRUSTED, PROXY, CLIENT],
    ['are not two where one is believed', xff(FORGED) + forwarded(`for=${CLIENT}`), CUSTOMARY, PROXY, FORGED],
    ['are not two where the other is', xff(FORGED) + forwarded(`for=${CLIENT}`), STANDARD, PROXY, CLIENT],
    ['are not two where one is there', xff(FORGED), TRUSTED, PROXY, FORGED],
    ['are nothing of one who is not trusted', xff(FORGED) + forwarded(`for=${CLIENT}`), TRUSTED, CLIENT, CLIENT],
  ])('%s', (_, fields, trust, from, expected) => {
    const stream = streamOf(fields, { from });
    const memo = memoOf(stream, trust);
    expect(otherAddressOf(stream, memo, clientAddressOf(stream, memo))).toBe(expected);
  });
});

describe('what the upstream is told', () => {
  const made = (address: string, node = address): Record<string, string> => ({
    'x-forwarded-for': address,
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'shop.example',
    'x-forwarded-port': '8080',
    forwarded: `for=${node};host="shop.example";proto=http`,
    via: '1.1 portico',
  });
  const all =
    `${xff(FORGED, '192.0.2.8')}X-Forwarded-Proto: https\r\nX-Forwarded-Host: front.example\r\nX-Forwarded-Port: 443\r\n` +
    forwarded(`for=${FORGED}`, 'for=192.0.2.8;proto=https');

  test.each([
    ['made anew for a client that nobody trusts', CLIENT, all, made(CLIENT)],
    ['made for a client that said nothing', CLIENT, '', made(CLIENT)],
    ['made for a client of IPv6', '2001:db8::7', all, made('2001:db8::7', '"[2001:db8::7]"')],
    ['made for a trusted proxy that said nothing', PROXY, '', made(PROXY)],
    [
      'kept and added to after a trusted proxy',
      PROXY,
      all,
      {
        'x-forwarded-for': `${FORGED}, 192.0.2.8, ${PROXY}`,
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'front.example',
        'x-forwarded-port': '443',
        forwarded: `for=${FORGED}, for=192.0.2.8;proto=https, for=${PROXY};host="shop.example";proto=http`,
        via: '1.1 portico',
      },
    ],
    [
      'completed after a trusted proxy that names the address alone',
      PROXY,
      xff(CLIENT),
      { ...made(PROXY), 'x-forwarded-for': `${CLIENT}, ${PROXY}` },
    ],
    [
      'completed after a trusted proxy that writes Forwarded alone',
      '2001:db8:ffff::1',
      forwarded(`for=${CLIENT}`),
      {
        ...made('2001:db8:ffff::1'),
        forwarded: `for=${CLIENT}, for="[2001:db8:ffff::1]";host="shop.example";proto=http`,
      },
    ],
    [
      'completed after a trusted proxy that names the scheme alone',
      PROXY,
      'X-Forwarded-Proto: https\r\n',
      { ...made(PROXY), 'x-forwarded-proto': 'https' },
    ],
  ])('is %s', (_, from, fields, expected) => {
    expect(linesOf(streamOf(fields, { from }))).toEqual(expected);
  });

  test('is kept of the believed field alone, and made anew of the other', () => {
    const own = made(PROXY);
    const element = `for=${PROXY};host="shop.example";proto=http`;
    expect(linesOf(streamOf(all), STANDARD)).toEqual({
      ...own,
      forwarded: `for=${FORGED}, for=192.0.2.8;proto=https, ${element}`,
    });
    const customary = linesOf(streamOf(all), CUSTOMARY);
    expect(customary).toEqual({ ...linesOf(streamOf(all)), forwarded: element });
    expect(customary['x-forwarded-proto']).toBe('https');
  });

  test('names no host where there was none', () => {
    const { 'x-forwarded-host': _, ...rest } = made(CLIENT);
    const expected = { ...rest, forwarded: `for=${CLIENT};proto=http` };
    expect(linesOf(streamOf('', { from: CLIENT, host: null }))).toEqual(expected);
  });

  test('names the Host field as received beside an absolute target, and its host where there is none', () => {
    const target = 'http://real.example:81/x';
    const both = linesOf(streamOf('', { from: CLIENT, target }));
    expect(both).toEqual(made(CLIENT));
    const alone = linesOf(streamOf('', { from: CLIENT, target, host: null }));
    expect([alone['x-forwarded-host'], alone.forwarded]).toEqual([
      'real.example:81',
      `for=${CLIENT};host="real.example:81";proto=http`,
    ]);
  });

  test('is of the request, the client and the listener at hand, in whatever order they come', () => {
    // Lines are kept between requests and between connections: none may be told of another's.
    const listeners: ListenerInfo[] = [LISTENER, { name: 'other', scheme: 'https', port: 8443 }];
    const streams = fc.record({
      from: fc.constantFrom(CLIENT, '192.0.2.8', PROXY),
      host: fc.constantFrom('a.example', 'b.example:81', null),
      target: fc.constantFrom('/', 'http://c.example/'),
      listener: fc.constantFrom(...listeners),
      fields: fc.constantFrom('', xff(FORGED)),
      /** Of several connections of that client to that listener. */
      connection: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(streams, { minLength: 1, maxLength: 30 }), (requests) => {
        const memos = new Map<string, unknown>();
        for (const { fields, connection, ...given } of requests) {
          const { from, host, listener, target } = given;
          const stream = streamOf(fields, given);
          const key = `${from} ${listener.name} ${connection}`;
          stream.memo = memos.get(key) ?? null;
          const lines = linesOf(stream);
          memos.set(key, stream.memo);
          const named = host ?? (target === '/' ? '' : 'c.example');
          const before = from === PROXY && fields !== '' ? `${FORGED}, ` : '';
          expect([lines['x-forwarded-for'], lines['x-forwarded-host'] ?? '', lines['x-forwarded-port']]).toEqual([
            before + from,
            named,
            String(listener.port),
          ]);
          expect(lines.forwarded).toBe(`for=${from}${named && `;host="${named}"`};proto=${listener.scheme}`);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('what is known of a connection', () => {
  test('is kept while the trusted proxies are the same, and found out anew after a reload', () => {
    const stream = streamOf(xff(CLIENT));
    const memo = memoOf(stream, TRUSTED);
    expect(memo.trusted).toBe(true);
    expect(memoOf(stream, TRUSTED)).toBe(memo);
    const nobody = createProxyTrust({ trustedProxies: [] });
    const later = memoOf(stream, nobody);
    expect(later.trusted).toBe(false);
    expect(clientAddressOf(stream, later)).toBe(PROXY);
    expect(forwardedLines(stream, later)).toContain(`X-Forwarded-For: ${PROXY}\r\n`);
    expect(memoOf(stream, TRUSTED)).toMatchObject({ trusted: true, lines: '' });
    // A generation without trust is another one, too: more is remembered of a connection than that.
    expect(createProxyTrust({ trustedProxies: [] })).not.toBe(nobody);
  });
});
