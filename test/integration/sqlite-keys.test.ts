/** The file of the key store: what a killed process leaves, what other versions and other programs made of it, and two processes at once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/state/keys/api-key.ts';
import { createKey } from '../../src/state/keys/key-text.ts';
import { openSqlite } from '../../src/state/keys/sqlite-driver.ts';
import { MIGRATIONS, SqliteKeys } from '../../src/state/keys/sqlite-keys.ts';

const CREATOR = fileURLToPath(new URL('../support/key-creator.ts', import.meta.url));

let directory: string;
let file: string;
const opened: SqliteKeys[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portico-keys-'));
  file = join(directory, 'keys.db');
});

afterEach(() => {
  for (const keys of opened.splice(0)) keys.close();
  rmSync(directory, { recursive: true });
});

function open(migrations?: readonly string[]): SqliteKeys {
  const keys = new SqliteKeys(file, migrations);
  opened.push(keys);
  return keys;
}

function keyWith(given: Partial<ApiKey> = {}): ApiKey {
  const { id, sha256 } = createKey();
  const key = { id, sha256, consumer: 'acme', name: '', scopes: [], tier: null, createdAt: 1, expiresAt: null };
  return { ...key, active: true, revokedAt: null, lastUsedAt: null, rotatedFrom: null, metadata: {}, ...given };
}

/** The ids that a process acknowledged before it was killed, after so many of them. */
async function killedAfter(count: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'jiti/register', CREATOR, file, '1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('latin1').on('data', (part: string) => {
    text += part;
    if (text.split('\n').length > count) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  // The last line may have been cut.
  return text.split('\n').slice(0, -1);
}

test('a process that is killed while it makes 1,000 keys leaves every one that was acknowledged', async () => {
  const acknowledged: string[] = [];
  // On one file, one after another: each finds what the one before left of its locks and journals.
  for (const count of [1, 150, 250]) {
    acknowledged.push(...(await killedAfter(count)));
    expect(existsSync(file)).toBe(true);
  }
  expect(acknowledged.length).toBeGreaterThan(400);
  const keys = open();
  const missing = acknowledged.filter((id) => keys.get(id)?.id !== id);
  expect(missing).toEqual([]);
  keys.create(keyWith());
});

describe('the file', () => {
  test('can be read and written by nobody else, and stays as it was made', () => {
    open().create(keyWith());
    expect(statSync(file).mode & 0o777).toBe(0o600);
    chmodSync(file, 0o640);
    open();
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test('is brought to the newest version, with what is in it', () => {
    const key = keyWith();
    open().create(key);
    const newer = [...MIGRATIONS, 'CREATE TABLE more (a TEXT) STRICT', "INSERT INTO more VALUES ('x')"];
    expect(open(newer).get(key.id)).toEqual(key);
    expect(open(newer).get(key.id)).toEqual(key);
    const database = openSqlite(file);
    expect(database.prepare('SELECT count(*) AS count FROM more').get()).toMatchObject({ count: 1 });
    database.close();
    expect(() => open()).toThrow(/is of version 3, of a newer Portico: this one knows 1/);
  });

  test('stays as it was where a migration fails half-way', () => {
    const key = keyWith();
    open().create(key);
    expect(() => open([...MIGRATIONS, 'CREATE TABLE more (a TEXT) STRICT; NONSENSE'])).toThrow(/NONSENSE/);
    expect(open().get(key.id)).toEqual(key);
    const tables = openSqlite(file);
    expect(tables.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'more'").get()).toBeUndefined();
    tables.close();
  });

  test.each([
    ['holds something else', () => writeFileSync(file, 'version: 1\n'.repeat(1000))],
    [
      'lost its end',
      () => {
        const keys = new SqliteKeys(file);
        for (let i = 0; i < 20; i++) keys.create(keyWith({ name: 'x'.repeat(5000) }));
        keys.close();
        rmSync(`${file}-wal`, { force: true });
        truncateSync(file, 8192);
      },
    ],
  ])('is not used where it %s', (_name, spoil) => {
    spoil();
    const before = readFileSync(file);
    expect(() => {
      const keys = open();
      keys.list({ consumer: null, state: null, limit: 1000, after: null, now: 0 });
    }).toThrow();
    expect(readFileSync(file).subarray(0, 100)).toEqual(before.subarray(0, 100));
  });

  test('serves two at once, as while one process takes the place of another', () => {
    const [one, other] = [open(), open()];
    const keys = Array.from({ length: 50 }, () => keyWith());
    for (const [i, key] of keys.entries()) (i % 2 === 0 ? one : other).create(key);
    for (const key of keys) {
      expect(one.get(key.id)).toEqual(key);
      expect(other.get(key.id)).toEqual(key);
    }
  });
});
