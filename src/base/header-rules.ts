/** What operators may write as the names and values of headers, and why not: one set of rules for every place that takes them. */
import { isToken } from './token.ts';

/**
 * Fields that only the gateway itself may write: those of one connection (RFC 9110, 7.6.1) and those that say where a
 * message ends (RFC 9112, 6). `Host` has a rule of its own below. Lower case.
 */
const gatewayHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const longestName = 256;
const longestValue = 8192;

/** Why a text is no header name, or null. The words read on from the name, which they do not quote. */
export function headerNameProblem(name: string): string | null {
  if (!isToken(name)) return 'is not a header name: letters, digits and - (RFC 9110, 5.1)';
  if (name.length > longestName) return `is longer than the ${longestName} characters that a header name may have`;
  return null;
}

/** Why a header cannot be set, added or removed, or null. */
export function editableHeaderProblem(name: string): string | null {
  const lowerName = name.toLowerCase();
  if (gatewayHeaders.has(lowerName)) {
    return 'is written by the gateway itself: it frames the message or belongs to one connection';
  }
  if (lowerName === 'host') return 'cannot be edited here: use `rewrite.host`';
  return headerNameProblem(name);
}

/**
 * Why a header cannot have a value, or null: CR, LF, NUL and every other control but the tab, a space around it, a letter
 * beyond Latin-1 (RFC 9110, 5.5). Narrower than what the wire takes from others, which may use 0x80 to 0x9f.
 */
export function headerValueProblem(value: string): string | null {
  if (/[^\t\x20-\x7e\xa0-\xff]/.test(value)) {
    return 'holds a line break, another control character or a letter beyond Latin-1, which no header can carry';
  }
  if (value.length > longestValue) return `is longer than ${longestValue} characters`;
  if (/^[ \t]|[ \t]$/.test(value)) return 'begins or ends with a space, which a header cannot keep';
  return null;
}
