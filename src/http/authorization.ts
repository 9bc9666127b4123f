/** `Authorization` (RFC 9110 section 11.6.2): the scheme, and what stands after it. */

const SPACE = 0x20;

/** b64token (RFC 6750 section 2.1) but for the `=` at its end. */
const TOKEN_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/';

const isTokenCharacter = new Uint8Array(128);
for (const character of TOKEN_CHARACTERS) isTokenCharacter[character.charCodeAt(0)] = 1;

/**
 * What stands after a scheme, given in lower case, whatever the case in which the field has it; `''` for the scheme alone.
 * Null where the field is not there, or is of another scheme.
 */
export function credentialsOf(field: string | undefined, scheme: string): string | null {
  if (field === undefined) return null;
  const { length } = scheme;
  if (field.length < length || field.slice(0, length).toLowerCase() !== scheme) return null;
  if (field.length === length) return '';
  if (field.charCodeAt(length) !== SPACE) return null;
  let start = length + 1;
  while (field.charCodeAt(start) === SPACE) start++;
  return field.slice(start);
}

/** True for what can be a Bearer token (RFC 6750 section 2.1); of two fields joined to one it never is. */
export function isBearerToken(text: string): boolean {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x3d) end--;
  if (end === 0) return false;
  for (let i = 0; i < end; i++) if (isTokenCharacter[text.charCodeAt(i)] !== 1) return false;
  return true;
}
