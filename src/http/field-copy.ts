/** Copies the field lines of a received head into one that is to be sent, in as few slices as possible. */
import { FIELD, maskOf } from './field-name.ts';
import { fieldById, sameName } from './fields.ts';
import { FIELD_STRIDE, type HeadParser } from './head-parser.ts';
import type { HeaderEdits } from './header-edits.ts';

/** Fields of one hop only (RFC 9110 section 7.6.1), with those that older proxies still send. */
export const HOP_BY_HOP: number = maskOf(
  FIELD.connection,
  FIELD.transferEncoding,
  FIELD.upgrade,
  FIELD.te,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.proxyAuthorization,
  FIELD.proxyAuthenticate,
  FIELD.http2Settings,
);

/** Connection options that name no field to be removed, or one whose removal the message would not survive. */
const KEPT_OPTIONS: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
]);

const ORDINARY_CONNECTION: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'Keep-Alive',
  'Close',
  'upgrade',
  'Upgrade',
]);

/** Names of fields that the Connection field makes hop-by-hop, lower case; null when there are none. */
export function connectionNamed(parser: HeadParser): Set<string> | null {
  const value = fieldById(parser, FIELD.connection);
  if (value === undefined || ORDINARY_CONNECTION.has(value)) return null;
  let names: Set<string> | null = null;
  for (const option of value.split(',')) {
    const name = option.trim().toLowerCase();
    if (name === '' || KEPT_OPTIONS.has(name)) continue;
    names ??= new Set();
    names.add(name);
  }
  return names;
}

/**
 * The field lines without those in the mask of known ids, those in `names`, and those that `edits` removes; after the
 * start line when `begin` is 0.
 */
export function copyFields(
  parser: HeadParser,
  dropMask: number,
  names: ReadonlySet<string> | null,
  edits: HeaderEdits | null,
  begin = parser.fieldsStart,
): string {
  const { head, offsets, count } = parser;
  const fieldsEnd = head.length - 2;
  if ((parser.seen & dropMask) === 0 && names === null && edits === null) return head.slice(begin, fieldsEnd);
  const removed = edits === null ? null : edits.removed;
  let text = '';
  let from = begin;
  for (let i = 0, at = 0; i < count; i++, at += FIELD_STRIDE) {
    const id = offsets[at + 4];
    const start = offsets[at];
    const length = offsets[at + 1] - start;
    const drop =
      (id !== 0 && (dropMask & (1 << id)) !== 0) ||
      (names !== null && isListed(names, head.slice(start, offsets[at + 1]).toLowerCase())) ||
      (removed !== null && isNamed(head, start, length, removed));
    if (!drop) continue;
    if (start > from) text += head.slice(from, start);
    from = i + 1 < count ? offsets[at + FIELD_STRIDE] : fieldsEnd;
  }
  return from < fieldsEnd ? text + head.slice(from, fieldsEnd) : text;
}

/** True for a name in the set, and for one that is the same to what is behind CGI, where an underscore is a hyphen. */
export function isListed(names: ReadonlySet<string>, lowerName: string): boolean {
  return names.has(lowerName) || (lowerName.includes('_') && names.has(lowerName.replaceAll('_', '-')));
}

function isNamed(head: string, start: number, length: number, names: readonly string[]): boolean {
  for (let i = 0; i < names.length; i++) {
    if (names[i].length === length && sameName(head, start, names[i])) return true;
  }
  return false;
}
