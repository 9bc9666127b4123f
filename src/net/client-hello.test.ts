/** The first message of a TLS client in every cut: its name is found, or it is refused within bounds. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClientHelloReader, HELLO_COMPLETE, HELLO_INVALID, HELLO_NEED_MORE, type HelloResult } from './client-hello.ts';

interface Reading {
  result: HelloResult;
  serverName: string;
  protocols: readonly string[];
  detail: string;
}

function read(pieces: readonly Buffer[]): Reading {
  const reader = new ClientHelloReader();
  let result: HelloResult = HELLO_NEED_MORE;
  for (const piece of pieces) {
    result = reader.execute(piece);
    if (result !== HELLO_NEED_MORE) break;
  }
  const { serverName, protocols, detail } = reader;
  return { result, serverName, protocols, detail };
}

function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.from([byte]));
}

/** Bytes after their length, which has `size` bytes itself; `off` makes it lie. */
function vector(size: number, content: Buffer | string, off = 0): Buffer {
  const bytes = Buffer.from(content as string, 'latin1');
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length + off, 0, size);
  return Buffer.concat([length, bytes]);
}

function extension(type: number, data: Buffer | string, off = 0): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, data, off)]);
}

function sni(...names: (Buffer | string)[]): Buffer {
  return extension(
    0,
    vector(2, Buffer.concat(names.map((name) => Buffer.concat([Buffer.from([0]), vector(2, name)])))),
  );
}

function alpn(...names: string[]): Buffer {
  return extension(16, vector(2, Buffer.concat(names.map((name) => vector(1, name)))));
}

interface Hello {
  session?: Buffer;
  suites?: Buffer;
  compressions?: Buffer;
  extensions?: Buffer | null;
  after?: Buffer;
}

/** A handshake message. */
function message({
  session = vector(1, 's'.repeat(32)),
  suites = vector(2, Buffer.from('130113021a1a', 'hex')),
  compressions = vector(1, '\0'),
  extensions = vector(2, sni('db.example.com')),
  after = Buffer.alloc(0),
}: Hello): Buffer {
  const body = [Buffer.from([3, 3]), Buffer.alloc(32, 7), session, suites, compressions, extensions ?? after, after];
  return Buffer.concat([Buffer.from([1]), vector(3, Buffer.concat(extensions === null ? body.slice(0, -1) : body))]);
}

/** The message in records of at most `size` bytes. */
function records(content: Buffer, size = 16_384): Buffer {
  const all: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    all.push(Buffer.from([22, 3, 1]), vector(2, content.subarray(at, at + size)));
  }
  return Buffer.concat(all);
}

function withExtensions(...extensions: Buffer[]): Buffer {
  return records(message({ extensions: vector(2, Buffer.concat(extensions)) }));
}

const GREASE = extension(0x3a3a, '');

const sound: [string, Buffer, string, string[]][] = [
  ['a name', records(message({})), 'db.example.com', []],
  ['a name in capitals', withExtensions(sni('DB.Example.COM')), 'db.example.com', []],
  ['no extensions at all', records(message({ extensions: null })), '', []],
  ['an empty list of extensions', records(message({ extensions: vector(2, '') })), '', []],
  ['neither name nor protocols', withExtensions(extension(43, '\x02\x03\x04')), '', []],
  ['protocols', withExtensions(alpn('h2', 'http/1.1')), '', ['h2', 'http/1.1']],
  ['protocols before the name', withExtensions(alpn('h2'), sni('a')), 'a', ['h2']],
  [
    'GREASE everywhere',
    withExtensions(GREASE, sni('a'), extension(0x0a0a, '\0'), alpn('\x1a\x1a', 'h2'), GREASE),
    'a',
    ['\x1a\x1a', 'h2'],
  ],
  [
    'a name of another type beside',
    withExtensions(
      extension(0, vector(2, Buffer.concat([Buffer.from([7]), vector(2, 'x'), Buffer.from([0]), vector(2, 'a')]))),
    ),
    'a',
    [],
  ],
  ['a session id of no length', records(message({ session: vector(1, '') })), 'db.example.com', []],
  ['the longest name', withExtensions(sni('a'.repeat(255))), 'a'.repeat(255), []],
  ['a large hello', withExtensions(extension(21, '\0'.repeat(15_000)), sni('a')), 'a', []],
];

describe('a sound ClientHello', () => {
  test.each(sound)('with %s', (_name, bytes, serverName, protocols) => {
    const expected = { result: HELLO_COMPLETE, serverName, protocols, detail: '' };
    expect(read([bytes])).toEqual(expected);
    expect(read([Buffer.concat([bytes, Buffer.from('early data')])])).toEqual(expected);
    expect(read(byteByByte(bytes))).toEqual(expected);
  });

  test('ends nowhere but at its end, whatever the records', () => {
    const content = message({ extensions: vector(2, Buffer.concat([sni('a.example'), alpn('h2')])) });
    for (const size of [1, 2, 3, 4, 5, 7, 64, 16_384]) {
      const bytes = records(content, size);
      for (let cut = 0; cut < bytes.length; cut++) {
        expect(read([bytes.subarray(0, cut)])).toMatchObject({ result: HELLO_NEED_MORE, serverName: '' });
        expect(read([bytes.subarray(0, cut), bytes.subarray(cut)])).toMatchObject({
          result: HELLO_COMPLETE,
          serverName: 'a.example',
          protocols: ['h2'],
        });
      }
    }
  });

  test('of Node.js itself is read', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ask = async (options: ConnectionOptions): Promise<Reading> => {
      const accepted = once(server, 'connection');
      const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
      client.on('error', () => {});
      const [socket] = await accepted;
      const reader = new ClientHelloReader();
      for await (const chunk of socket) if (reader.execute(chunk) !== HELLO_NEED_MORE) break;
      client.destroy();
      return {
        result: HELLO_COMPLETE,
        serverName: reader.serverName,
        protocols: reader.protocols,
        detail: reader.detail,
      };
    };
    const servername = 'Node.Example.COM';
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const versions = { minVersion: version, maxVersion: version };
      expect(await ask({ servername, ALPNProtocols: ['h2', 'http/1.1'], ...versions })).toEqual({
        result: HELLO_COMPLETE,
        serverName: 'node.example.com',
        protocols: ['h2', 'http/1.1'],
        detail: '',
      });
    }
    expect(await ask({})).toMatchObject({ serverName: '', protocols: [], detail: '' });
    server.close();
  });
});

const NOT_TLS = 'the connection does not begin with a TLS handshake';
const MALFORMED = 'the ClientHello is malformed';
const EXTENSIONS = 'the extensions of the ClientHello are malformed';
const SNI = 'the SNI is malformed';
const ALPN = 'the ALPN list is malformed';
const TOO_LARGE = 'the ClientHello is too large';
const RECORD = 'the length of a TLS record is out of its range';

const refused: [string, Buffer, string][] = [
  ['a request', Buffer.from('GET / HTTP/1.1\r\n'), NOT_TLS],
  ['another record type', Buffer.from('1503010002022800', 'hex'), NOT_TLS],
  ['SSL 2', Buffer.from('802e0100020015000000100100800200', 'hex'), NOT_TLS],
  ['a major version of 2', Buffer.from('16020100c8', 'hex'), NOT_TLS],
  ['an empty record', Buffer.from('1603010000', 'hex'), RECORD],
  ['a record too long', Buffer.from('1603014001', 'hex'), RECORD],
  ['another message', records(Buffer.from('02000002', 'hex')), 'the first TLS message is not a ClientHello'],
  [
    'another record within',
    Buffer.concat([records(message({}).subarray(0, 60)), Buffer.from('1503010002', 'hex')]),
    NOT_TLS,
  ],
  ['a message said to be too long', records(Buffer.from('01004000', 'hex')), TOO_LARGE],
  ['a message of 16 MiB', records(Buffer.from('01ffffff', 'hex')), TOO_LARGE],
  ['records too many', records(message({ extensions: vector(2, extension(21, '\0'.repeat(5000))) }), 1), TOO_LARGE],
  ['an empty message', records(Buffer.from('01000000', 'hex')), MALFORMED],
  ['a session id too long', records(message({ session: vector(1, 's'.repeat(33)) })), MALFORMED],
  ['a session id beyond the end', records(message({ session: vector(1, 's', 200) })), MALFORMED],
  ['no cipher suites', records(message({ suites: vector(2, '') })), MALFORMED],
  ['half a cipher suite', records(message({ suites: vector(2, 'abc') })), MALFORMED],
  ['cipher suites beyond the end', records(message({ suites: vector(2, 'ab', 2000) })), MALFORMED],
  ['no compression method', records(message({ compressions: vector(1, '') })), MALFORMED],
  ['extensions that are too long', records(message({ extensions: vector(2, sni('a'), 1) })), EXTENSIONS],
  ['extensions that are too short', records(message({ extensions: vector(2, sni('a'), -1) })), EXTENSIONS],
  ['bytes after the extensions', records(message({ after: Buffer.from('x') })), EXTENSIONS],
  ['half a length of the extensions', records(message({ extensions: Buffer.from([0]) })), EXTENSIONS],
  ['half an extension', withExtensions(sni('a'), Buffer.from([0])), EXTENSIONS],
  ['an extension beyond the end', withExtensions(extension(21, 'a', 5)), EXTENSIONS],
  [
    'two names in two extensions',
    withExtensions(sni('a'), GREASE, sni('a')),
    'an extension of the ClientHello is repeated',
  ],
  ['ALPN twice', withExtensions(alpn('h2'), alpn('h2')), 'an extension of the ClientHello is repeated'],
  ['an empty SNI', withExtensions(extension(0, '')), SNI],
  ['an empty list of names', withExtensions(sni()), SNI],
  ['an empty name', withExtensions(sni('')), SNI],
  ['two names', withExtensions(sni('a', 'b')), SNI],
  ['a name too long', withExtensions(sni('a'.repeat(256))), SNI],
  ['a NUL in a name', withExtensions(sni('a\0.example.com')), SNI],
  ['a space in a name', withExtensions(sni('a b')), SNI],
  ['a line feed in a name', withExtensions(sni('a\nb')), SNI],
  ['a name beyond ASCII', withExtensions(sni('d\xfcr')), SNI],
  ['a list of names too long', withExtensions(extension(0, vector(2, '\0\0\x01a', 1))), SNI],
  ['a list of names too short', withExtensions(extension(0, vector(2, '\0\0\x01a', -1))), SNI],
  ['a name beyond its list', withExtensions(extension(0, vector(2, '\0\0\x02a'))), SNI],
  ['an empty ALPN', withExtensions(extension(16, '')), ALPN],
  ['an empty list of protocols', withExtensions(alpn()), ALPN],
  ['an empty protocol', withExtensions(alpn('h2', '')), ALPN],
  ['a list of protocols too long', withExtensions(extension(16, vector(2, '\x02h2', 1))), ALPN],
  ['a protocol beyond its list', withExtensions(extension(16, vector(2, '\x03h2'))), ALPN],
];

describe('refused', () => {
  test.each(refused)('%s', (_name, bytes, detail) => {
    const expected = { result: HELLO_INVALID, serverName: '', protocols: [], detail };
    expect(read([bytes])).toEqual(expected);
    expect(read(byteByByte(bytes))).toEqual(expected);
  });
});

test('a message whose length says that it ends earlier is never read beyond that', () => {
  const content = message({ extensions: vector(2, Buffer.concat([sni('a.example'), alpn('h2')])) });
  for (let length = 0; length < content.length - 4; length++) {
    const shorter = Buffer.from(content);
    shorter.writeUIntBE(length, 1, 3);
    const { result, serverName } = read([records(shorter)]);
    // Without extensions it is one of old times.
    const whole = length === 34 + 33 + 8 + 2;
    expect([length, result, serverName]).toEqual([length, whole ? HELLO_COMPLETE : HELLO_INVALID, '']);
  }
});

test('whatever byte is changed, the verdict is the same in one piece and in many', () => {
  const bytes = withExtensions(GREASE, sni('db.example.com'), alpn('h2', 'http/1.1'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(bytes.length),
      (changes, cut) => {
        const changed = Buffer.from(bytes);
        for (const [at, byte] of changes) changed[at] = byte;
        const whole = read([changed]);
        expect(read([changed.subarray(0, cut), changed.subarray(cut)])).toEqual(whole);
        expect(read(byteByByte(changed))).toEqual(whole);
        if (whole.result !== HELLO_COMPLETE) expect(whole.serverName + whole.protocols.join()).toBe('');
      },
    ),
    { numRuns: 500 },
  );
});
