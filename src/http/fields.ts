/** Field values of a received head, read from its text only when somebody asks. */
import { FIELD, fieldIdOfName } from './field-name.ts';
import { FIELD_STRIDE, type HeadParser } from './head-parser.ts';

/**
 * The value of the field with this known id; several lines are joined with `, ` (RFC 9110 section 5.3). Undefined when
 * there is none.
 */
export function fieldById(parser: HeadParser, id: number): string | undefined {
  if ((parser.seen & (1 << id)) === 0) return undefined;
  let value: string | undefined;
  const { offsets, head, count } = parser;
  for (let i = 0, at = 0; i < count; i++, at += FIELD_STRIDE) {
    if (offsets[at + 4] !== id) continue;
    const line = head.slice(offsets[at + 2], offsets[at + 3]);
    value = value === undefined ? line : `${value}, ${line}`;
  }
  return value;
}

/** How many lines have this known id. */
export function countById(parser: HeadParser, id: number): number {
  if ((parser.seen & (1 << id)) === 0) return 0;
  let lines = 0;
  for (let i = 0, at = 4; i < parser.count; i++, at += FIELD_STRIDE) if (parser.offsets[at] === id) lines++;
  return lines;
}

/** The value of any field by its lower-case name; several lines are joined, cookies with `; ` (RFC 9113 section 8.2.3). */
export function fieldByName(parser: HeadParser, lowerName: string): string | undefined {
  const id = fieldIdOfName(lowerName);
  // Clients may write there what they like: who they are is said by their certificate.
  if (id === FIELD.xClientCert) return undefined;
  if (id !== 0 && id !== FIELD.identity) return fieldById(parser, id);
  const length = lowerName.length;
  const separator = lowerName === 'cookie' ? '; ' : ', ';
  let value: string | undefined;
  const { offsets, head, count } = parser;
  for (let i = 0, at = 0; i < count; i++, at += FIELD_STRIDE) {
    const start = offsets[at];
    if (offsets[at + 1] - start !== length || offsets[at + 4] !== id) continue;
    if (!sameName(head, start, lowerName)) continue;
    const line = head.slice(offsets[at + 2], offsets[at + 3]);
    value = value === undefined ? line : value + separator + line;
  }
  return value;
}

/** Names of the fields, in lower case, each once: those of which `fieldByName` gives a value. */
export function fieldNames(parser: HeadParser): string[] {
  const names = new Set<string>();
  const { offsets, head, count } = parser;
  for (let i = 0, at = 0; i < count; i++, at += FIELD_STRIDE) {
    if (offsets[at + 4] !== FIELD.xClientCert) names.add(head.slice(offsets[at], offsets[at + 1]).toLowerCase());
  }
  return [...names];
}

/** True when `head` has at `start` the lower-case name, in whatever case. Both are tokens. */
export function sameName(head: string, start: number, lowerName: string): boolean {
  for (let i = 0; i < lowerName.length; i++) {
    let code = head.charCodeAt(start + i);
    if (code >= 65 && code <= 90) code |= 0x20;
    if (code !== lowerName.charCodeAt(i)) return false;
  }
  return true;
}

/** True when a comma-separated value has `lowerToken` as a member, in whatever case (RFC 9110 section 5.6.1). */
export function hasListMember(value: string, lowerToken: string): boolean {
  if (value.length === lowerToken.length) return sameName(value, 0, lowerToken);
  for (const member of value.split(',')) {
    const parameters = member.indexOf(';');
    const name = (parameters < 0 ? member : member.slice(0, parameters)).trim();
    if (name.length === lowerToken.length && sameName(name, 0, lowerToken)) return true;
  }
  return false;
}
