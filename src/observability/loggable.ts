/** What a log line may hold of a value: bounded, without cycles and without secrets. */
import { REDACTED } from './redaction.ts';

/** Names of fields whose values are never written, in whatever depth. */
const SECRET = /authorization|cookie|token|password|passwd|passphrase|secret|api[-_]?key|private[-_]?key|credential/i;

/** `user:password@` of a URL within a text. */
const USERINFO = /([a-z][a-z0-9+.-]{0,20}:\/\/)[^/?#\s@]*@/gi;

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 8192;

/** A copy that `JSON.stringify` takes without throwing. */
export function loggable(value: unknown): unknown {
  return copy(value, []);
}

/** `above` are the objects that hold the value. */
function copy(value: unknown, above: readonly object[]): unknown {
  if (typeof value === 'string') return textOf(value);
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (above.includes(value)) return '[circular]';
  if (above.length >= MAX_DEPTH) return '[deep]';
  try {
    return copyObject(value, [...above, value]);
  } catch {
    // A getter or proxy of somebody else's.
    return '[unreadable]';
  }
}

function copyObject(value: object, above: readonly object[]): unknown {
  if (value instanceof Error) return copyError(value, above);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return copyEntries(value.entries(), value.size, above);
  if (Array.isArray(value)) return copyList(value, value.length, above);
  if (value instanceof Set) return copyList(value, value.size, above);
  const names = Object.keys(value);
  const entries = names
    .slice(0, MAX_ITEMS)
    .map((name): [string, unknown] => [name, (value as Record<string, unknown>)[name]]);
  return copyEntries(entries, names.length, above);
}

function copyEntries(entries: Iterable<[unknown, unknown]>, size: number, above: readonly object[]): unknown {
  const result: Record<string, unknown> = Object.create(null);
  let count = 0;
  for (const [key, item] of entries) {
    if (count++ === MAX_ITEMS) break;
    const name = String(key);
    result[name] = SECRET.test(name) && item !== undefined ? REDACTED : copy(item, above);
  }
  if (size > MAX_ITEMS) result['...'] = `${size - MAX_ITEMS} more`;
  return result;
}

function copyList(items: Iterable<unknown>, size: number, above: readonly object[]): unknown[] {
  const result: unknown[] = [];
  for (const item of items) {
    if (result.length === MAX_ITEMS) break;
    result.push(copy(item, above) ?? null);
  }
  if (size > MAX_ITEMS) result.push(`${size - MAX_ITEMS} more`);
  return result;
}

/** What an error says, and the system's details (`code`, `syscall`, `address`) that it may carry. */
function copyError(error: Error, above: readonly object[]): unknown {
  const result = copyEntries(Object.entries(error), 0, above) as Record<string, unknown>;
  result.name = textOf(error.name);
  result.message = textOf(error.message);
  if (error.stack !== undefined) result.stack = textOf(error.stack);
  if (error.cause !== undefined) result.cause = copy(error.cause, above);
  if (error instanceof AggregateError) result.errors = copyList(error.errors, error.errors.length, above);
  return result;
}

function textOf(text: string): string {
  const short =
    text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}... ${text.length - MAX_TEXT} more characters` : text;
  return short.includes('@') ? short.replace(USERINFO, `$1${REDACTED}@`) : short;
}
