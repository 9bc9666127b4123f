/** PROXY headers of both versions in every cut: read, refused, and written. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalizeIp } from '../base/ip.ts';
import type { Peer } from './peer.ts';
import {
  PROXY_COMPLETE,
  PROXY_MALFORMED,
  PROXY_MISSING,
  PROXY_NEED_MORE,
  ProxyHeaderParser,
  type ProxyResult,
  writeProxyV1,
  writeProxyV2,
} from './proxy-header.ts';

interface Reading {
  result: ProxyResult;
  peer: Peer | null;
  /** Bytes that belong to the header, over all pieces. */
  length: number;
  detail: string;
}

function read(pieces: readonly Buffer[]): Reading {
  const parser = new ProxyHeaderParser();
  let result: ProxyResult = PROXY_NEED_MORE;
  let length = 0;
  for (const piece of pieces) {
    result = parser.execute(piece);
    if (piece.length > 0) length += parser.consumed;
    if (result !== PROXY_NEED_MORE) break;
  }
  return { result, peer: parser.peer, length, detail: parser.detail };
}

const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** A header of version 2 from hexadecimal text: version and command, family, and what follows the length. */
function v2(command: string, family: string, rest: string, length = rest.length / 2): Buffer {
  return Buffer.from(`${SIGNATURE}${command}${family}${length.toString(16).padStart(4, '0')}${rest}`, 'hex');
}

const V4 = 'c0000201c6336401d43101bb';
const V6 = `20010db8000000000000000000000001${'20010db8000000000000000000000002'}d43101bb`;
const PEER4 = { address: '192.0.2.1', port: 54321, localAddress: '198.51.100.1', localPort: 443 };
const PEER6 = { address: '2001:db8::1', port: 54321, localAddress: '2001:db8::2', localPort: 443 };

const sound: [string, Buffer | string, Peer | null][] = [
  ['version 1, IPv4', 'PROXY TCP4 192.0.2.1 198.51.100.1 54321 443\r\n', PEER4],
  ['version 1, IPv6', 'PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 54321 443\r\n', PEER6],
  ['version 1, IPv4 in IPv6', 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 54321 443\r\n', PEER4],
  [
    'version 1, ports at their ends',
    'PROXY TCP4 192.0.2.1 198.51.100.1 0 65535\r\n',
    { ...PEER4, port: 0, localPort: 65535 },
  ],
  ['version 1, unknown', 'PROXY UNKNOWN\r\n', null],
  ['version 1, unknown with addresses', 'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', null],
  ['version 1, as long as may be', `PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, null],
  ['version 2, IPv4', v2('21', '11', V4), PEER4],
  ['version 2, IPv6', v2('21', '21', V6), PEER6],
  [
    'version 2, IPv4 in IPv6',
    v2('21', '21', `${'0'.repeat(20)}ffffc0000201${'0'.repeat(20)}ffffc6336401d43101bb`),
    PEER4,
  ],
  ['version 2, with TLVs', v2('21', '11', `${V4}03000412345678${'04000100'}`), PEER4],
  ['version 2, as long as may be', v2('21', '11', V4 + '00'.repeat(2048 - 12)), PEER4],
  ['version 2, local', v2('20', '00', ''), null],
  ['version 2, local with what is to be ignored', v2('20', '11', 'ff'), null],
  ['version 2, local of an unknown family', v2('20', 'ff', ''), null],
  ['version 2, unspecified family', v2('21', '00', ''), null],
  ['version 2, UNIX', v2('21', '31', '00'.repeat(216)), null],
  ['version 2, datagrams', v2('21', '12', V4), null],
];

describe('a sound header', () => {
  test.each(sound)('%s', (_name, header, peer) => {
    const bytes = Buffer.from(header as string, 'latin1');
    const rest = Buffer.from('PROXY TCP4 what follows\r\n');
    const whole = { result: PROXY_COMPLETE, peer, length: bytes.length, detail: '' };
    expect(read([bytes])).toEqual(whole);
    expect(read([Buffer.concat([bytes, rest])])).toEqual(whole);
    expect(read([...bytes, ...rest].map((byte) => Buffer.from([byte])))).toEqual(whole);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(read([bytes.subarray(0, cut)])).toMatchObject({ result: PROXY_NEED_MORE, peer: null });
      expect(read([bytes.subarray(0, cut), Buffer.concat([bytes.subarray(cut), rest])])).toEqual(whole);
    }
  });
});

const MISSING = 'the connection does not begin with a PROXY header';
const LINE = 'the line of version 1 names no addresses and ports';

const refused: [string, Buffer | string, ProxyResult, string][] = [
  ['a request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', PROXY_MISSING, MISSING],
  ['a ClientHello', Buffer.from('16030100c8010000c40303', 'hex'), PROXY_MISSING, MISSING],
  ['an empty line', '\r\nPROXY TCP4', PROXY_MISSING, MISSING],
  ['small letters', 'proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MISSING, MISSING],
  ['another word', 'PROXYTCP4 192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MISSING, MISSING],
  ['a signature with one wrong byte', Buffer.from('0d0a0d0a000d0a515549540b21110000', 'hex'), PROXY_MISSING, MISSING],
  ['no family', 'PROXY \r\n', PROXY_MALFORMED, LINE],
  ['a family alone', 'PROXY TCP4\r\n', PROXY_MALFORMED, LINE],
  ['an unknown family', 'PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['a family in small letters', 'PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['more than UNKNOWN', 'PROXY UNKNOWNS\r\n', PROXY_MALFORMED, LINE],
  ['two spaces', 'PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['a space at the end', 'PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n', PROXY_MALFORMED, LINE],
  ['a tab', 'PROXY TCP4\t192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['IPv6 for IPv4', 'PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n', PROXY_MALFORMED, LINE],
  ['IPv4 for IPv6', 'PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['a leading zero in an address', 'PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['a leading zero in a port', 'PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n', PROXY_MALFORMED, LINE],
  ['a port too high', 'PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n', PROXY_MALFORMED, LINE],
  ['a port with a sign', 'PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n', PROXY_MALFORMED, LINE],
  ['a port of another notation', 'PROXY TCP4 192.0.2.1 198.51.100.1 0x10 2\r\n', PROXY_MALFORMED, LINE],
  ['an IPv6 zone', 'PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n', PROXY_MALFORMED, LINE],
  ['a NUL', 'PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n', PROXY_MALFORMED, LINE],
  ['a bare LF', 'PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n', PROXY_MALFORMED, 'the line of version 1 ends without CRLF'],
  ['a bare CR', 'PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r.\r\n', PROXY_MALFORMED, LINE],
  [
    'a line without an end',
    `PROXY UNKNOWN ${'f'.repeat(93)}`,
    PROXY_MALFORMED,
    'the line of version 1 is longer than 107 bytes',
  ],
  [
    'a line of 108 bytes',
    `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`,
    PROXY_MALFORMED,
    'the line of version 1 is longer than 107 bytes',
  ],
  ['version 3', v2('31', '11', V4), PROXY_MALFORMED, 'the version is neither 1 nor 2'],
  ['version 1 in binary', v2('11', '11', V4), PROXY_MALFORMED, 'the version is neither 1 nor 2'],
  ['an unknown command', v2('22', '11', V4), PROXY_MALFORMED, 'the command is neither LOCAL nor PROXY'],
  ['an unknown family of version 2', v2('21', '41', V6), PROXY_MALFORMED, 'the address family is unknown'],
  ['an unknown transport', v2('21', '13', V4), PROXY_MALFORMED, 'the address family is unknown'],
  ['too short for IPv4', v2('21', '11', V4.slice(2)), PROXY_MALFORMED, 'the header is too short for its addresses'],
  ['too short for IPv6', v2('21', '21', V4), PROXY_MALFORMED, 'the header is too short for its addresses'],
  ['nothing for IPv4', v2('21', '11', ''), PROXY_MALFORMED, 'the header is too short for its addresses'],
  ['a length beyond the bound', v2('21', '11', V4, 2049), PROXY_MALFORMED, 'the header is longer than 2064 bytes'],
  [
    'a local length beyond the bound',
    v2('20', '00', '', 65535),
    PROXY_MALFORMED,
    'the header is longer than 2064 bytes',
  ],
];

describe('refused', () => {
  test.each(refused)('%s', (_name, header, result, detail) => {
    const bytes = Buffer.from(header as string, 'latin1');
    expect(read([bytes])).toMatchObject({ result, peer: null, detail });
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toMatchObject({ result, peer: null, detail });
  });
});

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => normalizeIp(text) !== null),
);
const peers: fc.Arbitrary<Peer> = fc
  .record({ address, port: fc.nat(65_535), localAddress: address, localPort: fc.nat(65_535) })
  .map((peer) => ({
    ...peer,
    address: normalizeIp(peer.address) as string,
    localAddress: normalizeIp(peer.localAddress) as string,
  }));

describe('what is written', () => {
  test.each([
    ['version 1', writeProxyV1, 107],
    ['version 2', writeProxyV2, 52],
  ])('in %s is read as the same, also where the families of the ends differ', (_name, write, most) => {
    fc.assert(
      fc.property(peers, fc.nat(), (peer, at) => {
        const bytes = write(peer);
        const cut = at % bytes.length;
        const whole = { result: PROXY_COMPLETE, peer, length: bytes.length };
        expect(bytes.length).toBeLessThanOrEqual(most);
        expect(read([bytes.subarray(0, cut), bytes.subarray(cut)])).toMatchObject(whole);
      }),
    );
  });

  test('is what others write', () => {
    expect(writeProxyV1(PEER4).toString()).toBe('PROXY TCP4 192.0.2.1 198.51.100.1 54321 443\r\n');
    expect(writeProxyV1({ ...PEER6, localAddress: '198.51.100.1' }).toString()).toBe(
      'PROXY TCP6 2001:db8::1 ::ffff:198.51.100.1 54321 443\r\n',
    );
    expect(writeProxyV2(PEER4)).toEqual(v2('21', '11', V4));
    expect(writeProxyV2(PEER6)).toEqual(v2('21', '21', V6));
  });

  test.each([{ address: '' }, { localAddress: '' }, { address: 'unix:' }])('names no addresses where %j', (change) => {
    const peer = { ...PEER4, ...change };
    expect(writeProxyV1(peer).toString()).toBe('PROXY UNKNOWN\r\n');
    expect(writeProxyV2(peer)).toEqual(v2('21', '00', ''));
    expect(read([writeProxyV2(peer)])).toMatchObject({ result: PROXY_COMPLETE, peer: null });
  });
});

test('whatever comes is judged alike in one piece and in many, and never beyond the bounds', () => {
  const starts = fc.constantFrom(
    '',
    'PROXY ',
    'PROXY TCP4 ',
    'PROXY UNKNOWN',
    Buffer.from(SIGNATURE, 'hex').toString('latin1'),
  );
  const tails = fc.array(fc.constantFrom(0, 10, 13, 0x20, 0x21, 0x11, 0x31, 0x2e, 0x50, 255), { maxLength: 160 });
  fc.assert(
    fc.property(starts, tails, fc.array(fc.nat(170)), (start, tail, cuts) => {
      const bytes = Buffer.concat([Buffer.from(start, 'latin1'), Buffer.from(tail)]);
      const pieces: Buffer[] = [];
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
        pieces.push(bytes.subarray(from, cut));
        from = Math.max(from, Math.min(cut, bytes.length));
      }
      const whole = read([bytes]);
      const split = read(pieces);
      expect(split).toMatchObject({ result: whole.result, peer: whole.peer, detail: whole.detail });
      if (whole.result === PROXY_COMPLETE) expect(split.length).toBe(whole.length);
    }),
    { numRuns: 500 },
  );
});
