/** Lines of every format: their fields, the order of them, and nothing that is to be hidden. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACCESS_FIELD_NAMES } from '../base/access-field-names.ts';
import { createEntry, WALL } from './access-entry.test.support.ts';
import type { AccessEntry } from './access-entry.ts';
import { createSelectedLine } from './access-fields.ts';
import { createCombinedLine } from './combined-line.ts';
import { Redaction } from './redaction.ts';
import { createWholeLine } from './whole-line.ts';

const none = new Redaction([]);

function whole(entry: AccessEntry, redaction = none): Record<string, unknown> {
  return JSON.parse(createWholeLine(redaction)(entry, WALL));
}

function selected(fields: string[], entry: AccessEntry, redaction = none): Record<string, unknown> {
  return JSON.parse(createSelectedLine(fields, redaction)(entry, WALL));
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((data) => Buffer.from(data).toString('latin1'));

const hostileEntry = fc
  .record({
    method: bytes,
    target: fc.oneof(
      bytes,
      fc.tuple(bytes, bytes).map(([path, query]) => `${path}?${query}`),
    ),
    host: bytes,
    route: fc.string({ unit: 'binary' }),
    service: fc.oneof(fc.constant(''), fc.string({ unit: 'binary' })),
    endpoint: bytes,
    clientAddress: bytes,
    agent: fc.oneof(bytes, fc.constant('x'.repeat(600))),
    status: fc.constantFrom(200, 404, 502),
    upstreamStatus: fc.constantFrom(0, 200),
    grpcStatus: fc.constantFrom(-1, 0, 14),
    durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    upstreamMs: fc.constantFrom(-1, 0, 0.0004, 12.3456, 1999.9999),
    retries: fc.nat(3),
    errorCode: fc.constantFrom('', 'upstream_reset'),
    traceId: fc.constantFrom('', '1177d525167d19420b0c90ab67fcab20'),
    protocol: fc.constantFrom('HTTP/1.1', 'HTTP/1.0'),
    bytesIn: fc.nat(),
  })
  .map(({ agent, ...fields }) => createEntry({ ...fields, userAgent: () => agent }));

describe('the line of all fields', () => {
  it('has the documented keys in their order', () => {
    expect(createWholeLine(none)(createEntry(), WALL)).toBe(
      '{"time":"2026-01-31T23:59:58.007Z","level":"info","msg":"access",' +
        '"request_id":"01a1fd1c-b4d6-7098-b8a4-f501aa81a652","client":"192.0.2.1","method":"GET",' +
        '"host":"api.example.com","path":"/users/1","query":"a=b","protocol":"HTTP/1.1","route":"user-by-id",' +
        '"service":"users","endpoint":"127.0.0.1:9001","status":200,"upstream_status":200,"grpc_status":null,"bytes_in":0,' +
        '"bytes_out":105,"duration_ms":1.250,"upstream_ms":1.100,"gateway_ms":0.150,"retries":0,"error":null,' +
        '"trace_id":"1177d525167d19420b0c90ab67fcab20","user":null,"consumer":null,"user_agent":"curl/8.0"}\n',
    );
  });

  it('tells the status of a call of gRPC, of each anew', () => {
    const line = createWholeLine(none);
    const statuses = [0, 14, -1, 0].map(
      (grpcStatus) => JSON.parse(line(createEntry({ grpcStatus }), WALL)).grpc_status,
    );
    expect(statuses).toEqual([0, 14, null, 0]);
  });

  it('says null for what there was not, and has no query where there was none', () => {
    const entry = createEntry({
      target: '/x',
      service: '',
      endpoint: '',
      upstreamStatus: 0,
      upstreamMs: -1,
      traceId: '',
      userAgent: () => '',
    });
    const line = whole(entry);
    expect(line).toMatchObject({ path: '/x', service: null, endpoint: null, upstream_status: null, upstream_ms: null });
    expect(line).toMatchObject({ gateway_ms: 1.25, trace_id: null, user: null, consumer: null, user_agent: null });
    expect(line).not.toHaveProperty('query');
    expect(whole(createEntry({ target: '/x?' }))).toHaveProperty('query', '');
  });

  it('is one line of US-ASCII with the selected fields of the same entry, whatever clients send and in whatever order', () => {
    fc.assert(
      fc.property(fc.array(hostileEntry, { minLength: 1, maxLength: 8 }), (entries) => {
        const line = createWholeLine(none);
        for (const entry of [...entries, ...entries]) {
          const text = line(entry, WALL);
          expect(text).toMatch(/^[ -~]*\n$/);
          expect({ query: null, ...JSON.parse(text) }).toEqual(selected([...ACCESS_FIELD_NAMES], entry));
        }
      }),
    );
  });

  it('follows the clock', () => {
    const line = createWholeLine(none);
    const times = [0, 5, 5, 999, 1000, 60_000, 10].map((after) => JSON.parse(line(createEntry(), WALL + after)).time);
    expect(times).toEqual([0, 5, 5, 999, 1000, 60_000, 10].map((after) => new Date(WALL + after).toISOString()));
  });

  it('shows no value that is to be hidden', () => {
    const redaction = new Redaction(['User-Agent', 'host', 'a']);
    expect(whole(createEntry(), redaction)).toMatchObject({
      user_agent: '[redacted]',
      host: '[redacted]',
      query: 'a=[redacted]',
    });
  });
});

describe('the line of selected fields', () => {
  it('has them in their order, each once, after time, level and message', () => {
    const fields = ['status', 'header.X-Tenant', 'path', 'msg', 'status', 'header.x-absent'];
    const entry = createEntry({ header: (name) => (name === 'x-tenant' ? 'a"b' : undefined) });
    expect(Object.entries(selected(fields, entry))).toEqual([
      ['time', '2026-01-31T23:59:58.007Z'],
      ['level', 'info'],
      ['msg', 'access'],
      ['status', 200],
      ['header.X-Tenant', 'a"b'],
      ['path', '/users/1'],
      ['header.x-absent', null],
    ]);
    expect(selected(['time'], entry)).toEqual({ time: '2026-01-31T23:59:58.007Z', level: 'info', msg: 'access' });
  });

  it('shows no header, parameter or cookie that is to be hidden', () => {
    const headers: Record<string, string> = {
      authorization: 'Bearer s3cret',
      'x-api-key': 's3cret',
      cookie: 'a=1; sid=s3cret',
      referer: 'https://a.example/?sid=s3cret',
      'user-agent': 's3cret',
    };
    const entry = createEntry({ target: '/?sid=s3cret', userAgent: () => 's3cret', header: (name) => headers[name] });
    const fields = [...ACCESS_FIELD_NAMES, ...Object.keys(headers).map((name) => `header.${name}`)];
    const line = selected(fields, entry, new Redaction(['x-api-key', 'sid', 'user-agent']));
    expect(JSON.stringify(line)).not.toContain('s3cret');
    expect(line).toMatchObject({ 'header.cookie': 'a=1; sid=[redacted]', 'header.authorization': '[redacted]' });
    expect(selected(['header.x-api-key'], createEntry(), new Redaction(['x-api-key']))).toHaveProperty(
      'header.x-api-key',
      null,
    );
  });

  it.each(['', 'nothing', 'header.', 'header.a b', 'toString', '__proto__', 'STATUS'])(
    'refuses the field "%s"',
    (name) => {
      expect(() => createSelectedLine([name], none)).toThrow(TypeError);
    },
  );
});

describe('the combined line', () => {
  const combined = (entry: AccessEntry, redaction = none): string => createCombinedLine(redaction)(entry, WALL);

  it('is that of Apache and nginx', () => {
    const entry = createEntry({ header: (name) => (name === 'referer' ? 'https://a.example/' : undefined) });
    expect(combined(entry)).toBe(
      '192.0.2.1 - - [31/Jan/2026:23:59:58 +0000] "GET /users/1?a=b HTTP/1.1" 200 105 "https://a.example/" "curl/8.0"\n',
    );
    expect(combined(createEntry({ userAgent: () => '' }))).toMatch(/ 200 105 "-" "-"\n$/);
  });

  it('keeps its quotes whatever clients send', () => {
    fc.assert(
      fc.property(hostileEntry, (entry) => {
        const line = combined({ ...entry, clientAddress: '192.0.2.1', header: () => entry.userAgent() });
        expect(line).toMatch(/^192\.0\.2\.1 - - \[[^\]]*\] "[^"]*" \d+ \d+ "[^"]*" "[^"]*"\n$/);
        expect(line).toMatch(/^[ -~]*\n$/);
      }),
    );
    expect(combined(createEntry({ userAgent: () => 'a"\\\n\xff' }))).toContain('"a\\x22\\x5C\\x0A\\xFF"');
  });

  it('shows no value that is to be hidden', () => {
    const entry = createEntry({
      target: '/?sid=s3cret',
      userAgent: () => 's3cret',
      header: () => 'https://a.example/?sid=s3cret',
    });
    const line = combined(entry, new Redaction(['sid', 'user-agent']));
    expect(line).not.toContain('s3cret');
    expect(line).toContain('"https://a.example/?sid=[redacted]" "[redacted]"');
  });
});
