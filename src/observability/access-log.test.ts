/** Lines of requests reach their file, over a rotation and up to the end. */
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { createEntry, WALL } from './access-entry.test.support.ts';
import { type AccessLog, type AccessLogOptions, createAccessLog } from './access-log.ts';

const clock: Clock = { now: () => 0, wall: () => WALL };

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portico-access-'));
  file = join(directory, 'access.log');
});

afterEach(() => rmSync(directory, { recursive: true }));

function open(options: Partial<AccessLogOptions> = {}): AccessLog {
  return createAccessLog({ file, redact: ['authorization'], ...options }, { clock, logger: silentLogger });
}

function lines(path = file): string[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

describe('the access log', () => {
  it('writes a line for each request, in order, all of them before it is closed', async () => {
    const log = open();
    for (let status = 200; status < 599; status++) log.record(createEntry({ status }));
    await log.close();
    expect(lines().map((line) => JSON.parse(line).status)).toEqual(Array.from({ length: 399 }, (_, i) => 200 + i));
    expect(log.dropped).toBe(0);
  });

  it.each([
    [{}, /^\{"time":"2026-01-31T23:59:58\.007Z",.*"user_agent":"curl\/8\.0"\}$/],
    [{ fields: ['status'] }, /^\{"time":"[^"]*","level":"info","msg":"access","status":200\}$/],
    [{ format: 'combined' }, /^192\.0\.2\.1 - - \[31\/Jan\/2026:23:59:58 \+0000\] "GET /],
  ] as const)('with %j writes lines like %s', async (options, expected) => {
    const log = open(options);
    log.record(createEntry());
    await log.close();
    expect(lines()[0]).toMatch(expected);
  });

  it('goes on in a new file after the old one was renamed', async () => {
    const log = open();
    log.record(createEntry({ route: 'before' }));
    renameSync(file, `${file}.1`);
    log.reopen();
    log.record(createEntry({ route: 'after' }));
    await log.close();
    expect([...lines(`${file}.1`), ...lines()].map((line) => JSON.parse(line).route)).toEqual(['before', 'after']);
    expect(lines().length).toBeGreaterThan(0);
  });

  it('drops and counts what is recorded after it was closed', async () => {
    const log = open();
    await log.close();
    log.record(createEntry());
    expect(log.dropped).toBe(1);
    expect(lines()).toEqual([]);
  });

  it('is refused for a field that does not exist, before its file is touched', () => {
    expect(() => open({ fields: ['nothing'] })).toThrow('there is no access log field "nothing"');
    expect(() => readFileSync(file)).toThrow('ENOENT');
  });
});
