/** The credentials of HTTP Basic authentication (RFC 7617), read without forgiving anything. */
import { isUtf8 } from 'node:buffer';

export interface BasicCredentials {
  readonly name: string;
  readonly password: string;
}

/** Characters of the base64 text: longer ones are no passwords. */
const LONGEST = 4096;

/** Section 2: neither part has control characters. */
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A name and a password, in UTF-8 (section 2.1); null for anything else. The password may hold colons, and either may be empty. */
export function parseBasicCredentials(text: string): BasicCredentials | null {
  if (text.length > LONGEST) return null;
  const bytes = Buffer.from(text, 'base64');
  // What is no base64 is skipped by the decoder: it must be there again, with or without padding.
  const encoded = bytes.toString('base64');
  if ((encoded !== text && withoutPadding(encoded) !== text) || !isUtf8(bytes)) return null;
  const decoded = bytes.toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0 || CONTROL.test(decoded)) return null;
  return { name: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function withoutPadding(text: string): string {
  if (text.endsWith('==')) return text.slice(0, -2);
  return text.endsWith('=') ? text.slice(0, -1) : text;
}
