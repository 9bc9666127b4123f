/** Keys in a table of PostgreSQL, which many gateways share: each hears what the others change. */
import type { Pool, PoolClient } from 'pg';
import type { Clock, Timers } from '../../base/clock.ts';
import type { ApiKey } from './api-key.ts';
import { Gathered } from './gathered.ts';
import { decideKeyAction } from './key-life.ts';
import { ADD, COLUMNS, GET, keyOfRow, listStatement, PUT, pageOf, rowOf, SUCCESSOR, TABLE } from './key-row.ts';
import type { KeyAction, KeyOutcome, KeyPage, KeyQuery, KeyStore } from './key-store.ts';
import { PostgresEar } from './postgres-ear.ts';

export interface PostgresKeyStoreDeps {
  /** `postgres://user:password@host/db`. */
  readonly url: string;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Milliseconds for a connection, and for one statement. */
const CONNECT = 2000;
const ANSWER = 5000;

/** Connections for questions: there are few, since what is asked often is remembered. */
const CONNECTIONS = 4;

/** Milliseconds without a try after a failure; doubled by each one that follows. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

/** Gateways that begin at once take turns: the table is made by one of them. */
const MAKING = 7_069_817;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ${TABLE} (
    id text COLLATE "C" PRIMARY KEY,
    sha256 text NOT NULL,
    consumer text NOT NULL,
    name text NOT NULL,
    scopes text NOT NULL,
    tier text,
    created_at bigint NOT NULL,
    expires_at bigint,
    active smallint NOT NULL,
    revoked_at bigint,
    last_used_at bigint,
    rotated_from text,
    metadata text NOT NULL
  );
  CREATE INDEX IF NOT EXISTS ${TABLE}_created ON ${TABLE} (created_at, id);
  CREATE INDEX IF NOT EXISTS ${TABLE}_consumer ON ${TABLE} (consumer, created_at);
  CREATE INDEX IF NOT EXISTS ${TABLE}_rotated_from ON ${TABLE} (rotated_from) WHERE rotated_from IS NOT NULL;`;

const GET_MANY = `SELECT ${COLUMNS.join(', ')} FROM ${TABLE} WHERE id = ANY($1::text[])`;

const TOUCH = `UPDATE ${TABLE} SET last_used_at = greatest(coalesce(last_used_at, 0), used.at)
  FROM unnest($1::text[], $2::bigint[]) AS used (id, at) WHERE ${TABLE}.id = used.id`;

const NOTIFY = `SELECT pg_notify('${TABLE}', $1)`;

type Work<T> = (client: PoolClient) => Promise<T>;

export class PostgresKeyStore implements KeyStore {
  private readonly deps: PostgresKeyStoreDeps;
  private readonly listeners: ((id: string | null) => void)[] = [];
  private readonly ear: PostgresEar;
  private readonly gathered: Gathered<ApiKey | null>;
  /** Settles when there is a table; null before the first use, and after a failure. */
  private ready: Promise<Pool> | null = null;
  private pool: Pool | null = null;
  private closed = false;
  private pause = 0;
  private notBefore = 0;
  private fault = '';

  constructor(deps: PostgresKeyStoreDeps) {
    this.deps = deps;
    this.gathered = new Gathered<ApiKey | null>(async (ids) => {
      const rows = await this.rows(GET_MANY, [ids]);
      return new Map(rows.map((row) => [String(row.id), keyOfRow(row)]));
    }, null);
    this.ear = new PostgresEar({ ...deps, channel: TABLE, onChange: (id) => this.tell(id) });
  }

  async create(key: ApiKey): Promise<void> {
    await this.inTransaction(async (client) => {
      await client.query(ADD, rowOf(key));
      await client.query(NOTIFY, [key.id]);
    });
    this.tell(key.id);
  }

  get(id: string): Promise<ApiKey | null> {
    return this.gathered.get(id);
  }

  async list(query: KeyQuery): Promise<KeyPage> {
    const { sql, values } = listStatement(query);
    return pageOf(await this.rows(sql, values), query.limit);
  }

  async act(id: string, action: KeyAction): Promise<KeyOutcome> {
    const outcome = await this.inTransaction((client) => act(client, id, action));
    if (outcome.outcome === 'done') this.tell(id);
    return outcome;
  }

  async touch(uses: ReadonlyMap<string, number>): Promise<void> {
    await this.rows(TOUCH, [[...uses.keys()], [...uses.values()]]);
  }

  onChange(listener: (id: string | null) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.all([this.ear.close(), this.pool?.end()]);
  }

  private tell(id: string | null): void {
    for (const listener of this.listeners) listener(id);
  }

  private async rows(sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
    return this.attempt(async (pool) => (await pool.query(sql, [...values])).rows as Record<string, unknown>[]);
  }

  private inTransaction<T>(work: Work<T>): Promise<T> {
    return this.attempt(async (pool) => inTransactionOf(await pool.connect(), work));
  }

  /** While the database is away nobody waits for it: who asks is told so at once, but for one try from time to time. */
  private async attempt<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
    if (this.closed) throw new Error('the key store is closed');
    const { clock } = this.deps;
    if (clock.now() < this.notBefore) throw new Error(this.fault);
    try {
      const result = await work(await this.open());
      this.pause = 0;
      return result;
    } catch (error) {
      if (isOutage(error)) {
        this.pause = Math.min(LONGEST_PAUSE, Math.max(FIRST_PAUSE, this.pause * 2));
        this.notBefore = clock.now() + this.pause;
        this.fault = messageOf(error);
      }
      throw new Error(messageOf(error), { cause: error });
    }
  }

  private open(): Promise<Pool> {
    this.ready ??= this.prepare().catch((error: Error) => {
      this.ready = null;
      throw error;
    });
    return this.ready;
  }

  private async prepare(): Promise<Pool> {
    this.pool ??= await this.createPool();
    const { pool } = this;
    const { rows } = await pool.query('SELECT to_regclass($1) AS made', [TABLE]);
    // Where it is there, the right to make tables is not needed.
    if (rows[0].made === null) {
      await inTransactionOf(await pool.connect(), async (client) => {
        await client.query('SELECT pg_advisory_xact_lock($1)', [MAKING]);
        await client.query(SCHEMA);
      });
    }
    this.ear.begin();
    return pool;
  }

  private async createPool(): Promise<Pool> {
    // Only who keeps keys there pays for loading it.
    const { Pool } = await import('pg');
    const pool = new Pool({
      connectionString: this.deps.url,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT,
      query_timeout: ANSWER,
      idleTimeoutMillis: 30_000,
      allowExitOnIdle: true,
      keepAlive: true,
      application_name: 'portico',
    });
    // Of connections that rest: whoever asks next gets another one, or learns that there is none.
    pool.on('error', () => {});
    return pool;
  }
}

async function inTransactionOf<T>(client: PoolClient, work: Work<T>): Promise<T> {
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    client.release();
    return result;
  } catch (error) {
    // Its end undoes what was begun, whatever state it is in.
    client.release(true);
    throw error;
  }
}

async function act(client: PoolClient, id: string, action: KeyAction): Promise<KeyOutcome> {
  const { rows } = await client.query(`${GET} FOR UPDATE`, [id]);
  if (rows.length === 0) return { outcome: 'unknown' };
  const isSucceeded = action.type === 'rotate' && (await client.query(SUCCESSOR, [id])).rows.length > 0;
  const decision = decideKeyAction(keyOfRow(rows[0]), action, isSucceeded);
  if ('refused' in decision) return { outcome: 'refused', reason: decision.refused };
  const { changed, added } = decision;
  await client.query(PUT, rowOf(changed));
  if (added !== null) await client.query(ADD, rowOf(added));
  await client.query(NOTIFY, [id]);
  return { outcome: 'done', key: added ?? changed };
}

/** True for what says nothing of the question: no connection, none free, the database begins or stops (classes 08, 53 and 57P). */
function isOutage(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || /^(?:08|53|57P)/.test(code);
}

/** Of several addresses each has its own error, and together they have none. */
function messageOf(error: unknown): string {
  const { message, errors = [] } = error as { message: string; errors?: readonly Error[] };
  return message !== '' ? message : errors.map((one) => one.message).join(', ');
}
