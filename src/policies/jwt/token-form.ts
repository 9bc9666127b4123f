/** The compact form of a signed token (RFC 7515 section 7.1), read strictly before anything is verified. */
import { ambiguityOf } from './unique-members.ts';

/** Characters of the longest token. */
export const LONGEST_TOKEN = 16 * 1024;

const LONGEST_KEY_ID = 256;

/** What a header says that decides how the token is verified. */
export interface TokenHead {
  readonly algorithm: string;
  /** Null where it names no key. */
  readonly keyId: string | null;
}

/** Why a text is no token. The words never quote it. */
export interface MalformedToken {
  readonly problem: string;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the head of a token, and sees that all of it is sound in form. */
export function parseToken(token: string): TokenHead | MalformedToken {
  if (token.length > LONGEST_TOKEN) return { problem: 'the token is too long' };
  const parts = token.split('.', 4);
  if (parts.length !== 3) return { problem: 'the token has not three parts' };
  for (const part of parts) if (!isBase64url(part)) return { problem: 'a part of the token is not base64url' };
  const header = parseMap(parts[0]);
  if (typeof header === 'string') return { problem: `the header ${header}` };
  const claims = parseMap(parts[1]);
  if (typeof claims === 'string') return { problem: `the set of claims ${claims}` };
  return headOf(header);
}

function headOf(header: Readonly<Record<string, unknown>>): TokenHead | MalformedToken {
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || alg === '') return { problem: 'the header names no algorithm' };
  // No extension is known here, so none that must be understood is (RFC 7515 section 4.1.11).
  if (Object.hasOwn(header, 'crit')) return { problem: 'the header asks for an extension' };
  if (Object.hasOwn(header, 'b64')) return { problem: 'the header asks for an unencoded payload' };
  if (typ !== undefined && typeof typ !== 'string') return { problem: 'the type in the header is no string' };
  if (kid === undefined) return { algorithm: alg, keyId: null };
  if (typeof kid !== 'string' || !isKeyId(kid)) return { problem: 'the header names a key by what is no name of one' };
  return { algorithm: alg, keyId: kid };
}

/**
 * Letters, digits and what stands in thumbprints, base64, URLs and mail addresses: nothing by which a name could become a
 * path, a statement or a line of a log, wherever it may be used.
 */
function isKeyId(text: string): boolean {
  return text.length <= LONGEST_KEY_ID && /^[A-Za-z0-9._~+/=:@-]+$/.test(text) && !text.includes('..');
}

/** True for base64url without padding in its one canonical form: other spellings of a token would be other tokens (RFC 4648 section 3.5). */
function isBase64url(text: string): boolean {
  if (text === '' || !/^[A-Za-z0-9_-]+$/.test(text)) return false;
  const rest = text.length & 3;
  if (rest === 0) return true;
  if (rest === 1) return false;
  return Buffer.from(text.slice(-rest), 'base64url').toString('base64url') === text.slice(-rest);
}

/** A map in JSON, or why it is none. */
function parseMap(part: string): Readonly<Record<string, unknown>> | string {
  let text: string;
  let value: unknown;
  try {
    text = UTF8.decode(Buffer.from(part, 'base64url'));
    value = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not a map';
  return ambiguityOf(text) ?? (value as Record<string, unknown>);
}
