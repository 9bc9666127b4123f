/** A line is one JSON object, whatever its fields hold, and shows no secret. */
import { describe, expect, it } from 'vitest';
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';
import { createLogger } from './logger.ts';

function create(level: LogLevel = 'debug'): { logger: Logger; lines: string[]; last: () => LogFields } {
  const lines: string[] = [];
  const clock = { now: () => 0, wall: () => Date.UTC(2026, 0, 31, 23, 59, 58, 7) };
  const logger = createLogger({ level, clock, write: (line) => void lines.push(line) });
  return { logger, lines, last: () => JSON.parse(lines[lines.length - 1]) };
}

/** The fields of a line as they were written. */
function written(fields: LogFields): LogFields {
  const { logger, last } = create();
  logger.info('m', fields);
  return last();
}

describe('the logger', () => {
  it('writes time, level, message and fields as one line', () => {
    const { logger, lines } = create();
    logger.warn('reload\nrefused', { cause: 'file', count: 2, ok: true, none: null });
    expect(lines).toEqual([
      '{"time":"2026-01-31T23:59:58.007Z","level":"warn","msg":"reload\\nrefused","cause":"file","count":2,"ok":true,"none":null}\n',
    ]);
  });

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ] as const)('at level %s writes %j, also when the level is set later', (level, expected) => {
    const { logger, lines } = create('debug');
    logger.level = level;
    for (const severity of ['debug', 'info', 'warn', 'error'] as const) logger[severity]('m');
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(expected);
  });

  it('lets no field pass for the time, level or message', () => {
    expect(written({ time: 'x', level: 'error', msg: 'forged' })).toEqual({
      time: '2026-01-31T23:59:58.007Z',
      level: 'info',
      msg: 'm',
      field_time: 'x',
      field_level: 'error',
      field_msg: 'forged',
    });
  });

  it('writes printable US-ASCII only', () => {
    const { logger, lines } = create();
    logger.info('\u001b[31m\u009b \u202e ä', { 'k\u2028': '\u007f' });
    expect(lines[0]).toMatch(/^[ -~]*\n$/);
    expect(JSON.parse(lines[0])).toMatchObject({ msg: '\u001b[31m\u009b \u202e ä', 'k\u2028': '\u007f' });
  });

  it('tells what an error says, its details and its cause', () => {
    const cause = new TypeError('inner');
    const error = Object.assign(new Error('outer', { cause }), { code: 'ECONNREFUSED', syscall: 'connect' });
    const { error: shown } = written({ error }) as { error: Record<string, unknown> };
    expect(shown).toMatchObject({ name: 'Error', message: 'outer', code: 'ECONNREFUSED', syscall: 'connect' });
    expect(shown.stack).toContain('logger.test.ts');
    expect(shown.cause).toMatchObject({ name: 'TypeError', message: 'inner' });
    const many = new AggregateError([new Error('one'), 'two'], 'both');
    expect(written({ many }).many).toMatchObject({ message: 'both', errors: [{ message: 'one' }, 'two'] });
  });

  it.each([
    'authorization',
    'Proxy-Authorization',
    'cookie',
    'set-cookie',
    'token',
    'accessToken',
    'PORTICO_ADMIN_TOKEN',
    'password',
    'clientSecret',
    'api_key',
    'x-api-key',
    'apiKey',
    'privateKey',
    'credentials',
  ])('hides what is named %s, in whatever depth', (name) => {
    const value = { inner: 's3cret' };
    const fields = { [name]: value, deep: [{ [name]: 's3cret' }], map: new Map([[name, 's3cret']]) };
    expect(JSON.stringify(written(fields))).not.toContain('s3cret');
    expect(written(fields)[name]).toBe('[redacted]');
    const error = Object.assign(new Error('x'), { [name]: 's3cret' });
    expect(JSON.stringify(written({ error }))).not.toContain('s3cret');
  });

  it('hides the user information of URLs', () => {
    const url = 'cannot reach redis://user:s3cret@db.internal:6379/0 or https://s3cret@a.example/x@y';
    expect(written({ url }).url).toBe(
      'cannot reach redis://[redacted]@db.internal:6379/0 or https://[redacted]@a.example/x@y',
    );
    const { logger, last } = create();
    logger.error('at https://u:s3cret@a.example');
    expect(last().msg).not.toContain('s3cret');
  });

  it('survives what JSON cannot hold', () => {
    const circular: LogFields = { name: 'c' };
    circular.self = circular;
    const shared = { a: 1 };
    const hostile = {
      get x(): never {
        throw new Error('no');
      },
    };
    expect(
      written({
        circular,
        twice: [shared, shared],
        hostile,
        big: 12n,
        missing: undefined,
        run: () => 1,
        symbol: Symbol('s'),
        nan: Number.NaN,
        date: new Date(0),
        invalid: new Date(Number.NaN),
        bytes: Buffer.from('abc'),
        set: new Set([1]),
        list: [undefined, () => 1],
        own: { __proto__: { inherited: 1 }, toJSON: () => 'other' },
      }),
    ).toEqual({
      time: expect.any(String),
      level: 'info',
      msg: 'm',
      circular: { name: 'c', self: '[circular]' },
      twice: [{ a: 1 }, { a: 1 }],
      hostile: '[unreadable]',
      big: '12',
      symbol: 'Symbol(s)',
      nan: null,
      date: '1970-01-01T00:00:00.000Z',
      invalid: null,
      bytes: '[3 bytes]',
      set: [1],
      list: [null, null],
      own: {},
    });
  });

  it('bounds depth, width and length', () => {
    let deep: LogFields = {};
    for (let i = 0; i < 1000; i++) deep = { deep };
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i]));
    const fields = { deep, wide, list: new Array(5000).fill(1), long: 'x'.repeat(1e6) };
    const { logger, lines, last } = create();
    logger.info('m', fields);
    expect(lines[0].length).toBeLessThan(20_000);
    expect(last().long).toMatch(/x\.\.\. 991808 more characters$/);
    expect(last().wide).toHaveProperty('...', '4900 more');
  });
});
