/** Changes to bytes that parsers of HTTP are known to stumble over, chosen by a seeded generator. */
import type { Random } from '../support/seeded-random.ts';

/** What is inserted, or written over what stands there. */
const MORSELS = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '\r\n\r\n',
    '\n\n',
    '\0',
    ' ',
    '\t',
    '\x0b',
    '\x7f',
    '\x85',
    '\xa0',
    '\xff',
    ':',
    ';',
    ',',
    '"',
    '\\',
    '/',
    '?',
    '#',
    '%',
    '*',
  ],
  ...[
    '0',
    '1',
    '5',
    'f',
    '+',
    '-',
    '0x',
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    ';a="',
    ';a=b',
    '..',
    '/../',
    '%2e',
    '%00',
    '@',
    '[',
    ']',
  ],
  ...[
    'Host: b.example\r\n',
    'Content-Length: 5\r\n',
    'Content-Length: 0\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: identity\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: keep-alive\r\n',
    'Expect: 100-continue\r\n',
    'X-A: b\r\n',
    ' folded\r\n',
    'chunked',
    'HTTP/1.0',
    'HTTP/1.1',
  ],
  ...[
    'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HEAD',
    'CONNECT',
    'Trailer: X\r\n',
  ],
].map((text) => Buffer.from(text, 'latin1'));

function splice(bytes: Buffer, from: number, to: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(to)]);
}

/** Bounds a range of at most 40 bytes. */
function range(bytes: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  return [from, Math.min(bytes.length, from + 1 + random.below(40))];
}

function mutateOnce(bytes: Buffer, random: Random, corpus: readonly Buffer[]): Buffer {
  const at = random.below(bytes.length + 1);
  switch (random.below(9)) {
    case 0:
      return splice(bytes, at, at, random.pick(MORSELS));
    case 1: {
      const morsel = random.pick(MORSELS);
      return splice(bytes, at, at + morsel.length, morsel);
    }
    case 2:
      return splice(bytes, ...range(bytes, random), Buffer.alloc(0));
    case 3: {
      const [from, to] = range(bytes, random);
      return splice(bytes, at, at, bytes.subarray(from, to));
    }
    case 4: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] ^= 1 << random.below(8);
      return copy;
    }
    case 5: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = random.below(256);
      return copy;
    }
    case 6: {
      const other = random.pick(corpus);
      const [from, to] = range(other, random);
      return splice(bytes, at, at, other.subarray(from, to));
    }
    case 7: {
      // A line written twice, or moved to another place.
      const start = bytes.lastIndexOf('\r\n', at, 'latin1') + 2;
      const end = bytes.indexOf('\r\n', at, 'latin1') + 2;
      if (end < start + 1) return bytes;
      return splice(bytes, end, end, bytes.subarray(start, end));
    }
    default:
      return Buffer.concat([bytes, random.pick(corpus)]);
  }
}

/** One of the corpus, changed once to four times, never longer than 16 KiB. */
export function mutate(corpus: readonly Buffer[], random: Random): Buffer {
  let bytes = random.pick(corpus);
  for (let i = 1 + random.below(4); i > 0; i--) bytes = mutateOnce(bytes, random, corpus);
  return bytes.length === 0 ? Buffer.from('\r\n') : Buffer.from(bytes.subarray(0, 16_384));
}
