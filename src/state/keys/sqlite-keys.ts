/** Keys in a file of SQLite, asked and answered at once: what the thread of the store does. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ApiKey } from './api-key.ts';
import { decideKeyAction } from './key-life.ts';
import { ADD, GET, keyOfRow, listStatement, PUT, pageOf, rowOf, SUCCESSOR, TABLE } from './key-row.ts';
import type { KeyAction, KeyOutcome, KeyPage, KeyQuery } from './key-store.ts';
import { openSqlite, type SqliteDatabase, type SqliteStatement } from './sqlite-driver.ts';

/** Milliseconds that another process may hold the file, as while a new one takes the place of an old one. */
const BUSY = 5000;

/** What makes each version of the file from the one before it; what stands here is never changed. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE ${TABLE} (
    id TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    consumer TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    tier TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    active INTEGER NOT NULL,
    revoked_at INTEGER,
    last_used_at INTEGER,
    rotated_from TEXT,
    metadata TEXT NOT NULL
  ) STRICT;
  CREATE INDEX ${TABLE}_created ON ${TABLE} (created_at, id);
  CREATE INDEX ${TABLE}_consumer ON ${TABLE} (consumer, created_at);
  CREATE INDEX ${TABLE}_rotated_from ON ${TABLE} (rotated_from) WHERE rotated_from IS NOT NULL;`,
];

export class SqliteKeys {
  private readonly database: SqliteDatabase;
  private readonly prepared = new Map<string, SqliteStatement>();

  /** Opens the file, and brings it to the newest of `migrations`. Throws the reason where it cannot be used. */
  constructor(path: string, migrations = MIGRATIONS) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite would make it readable for everybody; what it makes beside it has the rights of the file.
    closeSync(openSync(path, 'a', 0o600));
    this.database = openSqlite(path);
    try {
      // Readers do not wait for who writes; every commit is on the disk before it is acknowledged.
      this.database.exec(`PRAGMA busy_timeout = ${BUSY}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
      this.migrate(migrations);
    } catch (error) {
      this.database.close();
      throw error;
    }
  }

  private migrate(migrations: readonly string[]): void {
    this.inTransaction(() => {
      const version = Number(this.database.prepare('PRAGMA user_version').get()?.user_version);
      if (version > migrations.length) {
        throw new Error(`the file is of version ${version}, of a newer Portico: this one knows ${migrations.length}`);
      }
      for (const sql of migrations.slice(version)) this.database.exec(sql);
      if (version < migrations.length) this.database.exec(`PRAGMA user_version = ${migrations.length}`);
    });
  }

  /** Throws where the id is taken. */
  create(key: ApiKey): void {
    this.statement(ADD).run(...rowOf(key));
  }

  get(id: string): ApiKey | null {
    const row = this.statement(GET).get(id);
    return row === undefined ? null : keyOfRow(row);
  }

  list(query: KeyQuery): KeyPage {
    const { sql, values } = listStatement(query);
    return pageOf(this.statement(sql).all(...values), query.limit);
  }

  act(id: string, action: KeyAction): KeyOutcome {
    return this.inTransaction(() => {
      const key = this.get(id);
      if (key === null) return { outcome: 'unknown' };
      const isSucceeded = action.type === 'rotate' && this.statement(SUCCESSOR).get(id) !== undefined;
      const decision = decideKeyAction(key, action, isSucceeded);
      if ('refused' in decision) return { outcome: 'refused', reason: decision.refused };
      this.statement(PUT).run(...rowOf(decision.changed));
      if (decision.added !== null) this.create(decision.added);
      return { outcome: 'done', key: decision.added ?? decision.changed };
    });
  }

  touch(uses: ReadonlyMap<string, number>): void {
    const touch = this.statement(`UPDATE ${TABLE} SET last_used_at = max(coalesce(last_used_at, 0), $1) WHERE id = $2`);
    this.inTransaction(() => {
      for (const [id, at] of uses) touch.run(at, id);
    });
  }

  close(): void {
    this.prepared.clear();
    try {
      // A copy of the one file is then a copy of everything.
      this.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // What stays in the journal is found there by the next who opens the file.
    }
    this.database.close();
  }

  private statement(sql: string): SqliteStatement {
    let statement = this.prepared.get(sql);
    if (statement === undefined) {
      // Every value stands once, and in its place: by number they would be names to SQLite.
      statement = this.database.prepare(sql.replaceAll(/\$\d+/g, '?'));
      this.prepared.set(sql, statement);
    }
    return statement;
  }

  /** Immediate: whoever reads in order to write would otherwise fail where another process wrote between. */
  private inTransaction<T>(work: () => T): T {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      this.database.exec('ROLLBACK');
      throw error;
    }
  }
}
