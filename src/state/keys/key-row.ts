/** A key as a row of a table, and the SQL that SQLite and PostgreSQL have in common. */
import type { ApiKey } from './api-key.ts';
import type { KeyPage, KeyQuery } from './key-store.ts';

export const TABLE = 'portico_api_keys';

/** In the order of `rowOf`. Times are in milliseconds since the epoch, scopes and metadata in JSON. */
export const COLUMNS: readonly string[] = [
  'id',
  'sha256',
  'consumer',
  'name',
  'scopes',
  'tier',
  'created_at',
  'expires_at',
  'active',
  'revoked_at',
  'last_used_at',
  'rotated_from',
  'metadata',
];

export type Cell = string | number | null;

export function rowOf(key: ApiKey): Cell[] {
  return [
    key.id,
    key.sha256,
    key.consumer,
    key.name,
    JSON.stringify(key.scopes),
    key.tier,
    key.createdAt,
    key.expiresAt,
    key.active ? 1 : 0,
    key.revokedAt,
    key.lastUsedAt,
    key.rotatedFrom,
    JSON.stringify(key.metadata),
  ];
}

/** Of a row as the database gives it: whole numbers may come as text. */
export function keyOfRow(row: Readonly<Record<string, unknown>>): ApiKey {
  return {
    id: String(row.id),
    sha256: String(row.sha256),
    consumer: String(row.consumer),
    name: String(row.name),
    scopes: JSON.parse(String(row.scopes)),
    tier: textOf(row.tier),
    createdAt: Number(row.created_at),
    expiresAt: timeOf(row.expires_at),
    active: Number(row.active) === 1,
    revokedAt: timeOf(row.revoked_at),
    lastUsedAt: timeOf(row.last_used_at),
    rotatedFrom: textOf(row.rotated_from),
    metadata: JSON.parse(String(row.metadata)),
  };
}

function textOf(cell: unknown): string | null {
  return cell === null ? null : String(cell);
}

function timeOf(cell: unknown): number | null {
  return cell === null ? null : Number(cell);
}

/** One statement with its values: `$1`, `$2` and so on stand for them, each once and in their order. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Cell[];
}

const LIST = COLUMNS.join(', ');

/** Adds the key; where its id is there, takes the place of all of it but the time of its last use. */
export const PUT = `INSERT INTO ${TABLE} (${LIST}) VALUES (${COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})
  ON CONFLICT (id) DO UPDATE SET ${COLUMNS.filter((column) => column !== 'id' && column !== 'last_used_at')
    .map((column) => `${column} = excluded.${column}`)
    .join(', ')}`;

export const ADD = `INSERT INTO ${TABLE} (${LIST}) VALUES (${COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})`;

export const GET = `SELECT ${LIST} FROM ${TABLE} WHERE id = $1`;

export const SUCCESSOR = `SELECT 1 FROM ${TABLE} WHERE rotated_from = $1 AND revoked_at IS NULL LIMIT 1`;

/** One key more than the page has tells whether there is another page. */
export function listStatement({ consumer, state, limit, after, now }: KeyQuery): Statement {
  const values: Cell[] = [];
  const value = (cell: Cell): string => `$${values.push(cell)}`;
  const conditions: string[] = [];
  if (consumer !== null) conditions.push(`consumer = ${value(consumer)}`);
  if (state !== null) {
    conditions.push(`revoked_at IS ${state === 'revoked' ? 'NOT NULL' : 'NULL'}`);
    if (state !== 'revoked') conditions.push(`active = ${state === 'inactive' ? 0 : 1}`);
    if (state === 'active') conditions.push(`(expires_at IS NULL OR expires_at > ${value(now)})`);
    if (state === 'expired') conditions.push(`expires_at <= ${value(now)}`);
  }
  const place = after === null ? null : parsePlace(after);
  if (place !== null) {
    const [at, again, id] = [value(place.createdAt), value(place.createdAt), value(place.id)];
    conditions.push(`(created_at > ${at} OR (created_at = ${again} AND id > ${id}))`);
  }
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return { sql: `SELECT ${LIST} FROM ${TABLE}${where} ORDER BY created_at, id LIMIT ${value(limit + 1)}`, values };
}

export function pageOf(rows: readonly Readonly<Record<string, unknown>>[], limit: number): KeyPage {
  const keys = rows.slice(0, limit).map(keyOfRow);
  const last = keys.at(-1);
  return { keys, next: rows.length > limit && last !== undefined ? `${last.createdAt}-${last.id}` : null };
}

/** A place in the list, as `next` tells it; null for what is none. */
export function parsePlace(text: string): { createdAt: number; id: string } | null {
  const match = /^([0-9]{1,15})-([A-Za-z0-9]{1,64})$/.exec(text);
  return match === null ? null : { createdAt: Number(match[1]), id: match[2] };
}
