/** A program for a test to kill: creates keys in a file of SQLite, and writes the id of each that was acknowledged as a line. */
import { writeSync } from 'node:fs';
import { createKey } from '../../src/state/keys/key-text.ts';
import { SqliteKeyStore } from '../../src/state/keys/sqlite-key-store.ts';

const [, , path, count] = process.argv;
const store = new SqliteKeyStore(path);

async function create(): Promise<void> {
  const { id, sha256 } = createKey();
  const nothing = { expiresAt: null, revokedAt: null, lastUsedAt: null, rotatedFrom: null, tier: null };
  const metadata = { text: 'x'.repeat(500) };
  const key = { id, sha256, consumer: 'acme', name: '', scopes: [], createdAt: Date.now(), active: true, metadata };
  await store.create({ ...nothing, ...key });
  writeSync(1, `${id}\n`);
}

// Some at a time, as operators' scripts do.
const lanes = Array.from({ length: 4 }, async (_, lane) => {
  for (let i = lane; i < Number(count); i += 4) await create();
});
await Promise.all(lanes);
await store.close();
