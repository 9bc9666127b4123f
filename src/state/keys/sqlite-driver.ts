/** SQLite as this runtime has it: its own where there is one, else the library that Node 20 needs. */
import { createRequire } from 'node:module';
import type { Cell } from './key-row.ts';

export interface SqliteStatement {
  run(...values: Cell[]): { readonly changes: number | bigint };
  /** Undefined where there is no row. */
  get(...values: Cell[]): Record<string, unknown> | undefined;
  all(...values: Cell[]): Record<string, unknown>[];
}

/** What both have in common. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

type Opener = new (path: string) => SqliteDatabase;

/** Opens the file, which is made where it is missing. Throws what SQLite says, or that there is none. */
export function openSqlite(path: string): SqliteDatabase {
  return new (findSqlite())(path);
}

function findSqlite(): Opener {
  // Without a flag from Node 22.13 on.
  const own = process.getBuiltinModule('node:sqlite') as unknown as { DatabaseSync: Opener } | undefined;
  if (own !== undefined) return own.DatabaseSync;
  try {
    return createRequire(import.meta.url)('libsql') as Opener;
  } catch (error) {
    throw new Error(
      `this Node.js (${process.version}) has no SQLite, and the optional package libsql is not installed: take Node.js 22.13 or newer, install libsql, or keep keys in PostgreSQL`,
      { cause: error },
    );
  }
}
