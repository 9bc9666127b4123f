/** The token of RFC 9110 (section 5.6.2): what method names, header names and cookie names are made of. */

/** Every tchar. */
export const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A table rather than a regular expression: header edits ask while requests wait. */
const isTokenCharacter = new Uint8Array(128);
for (const character of TOKEN_CHARACTERS) isTokenCharacter[character.charCodeAt(0)] = 1;

/** True when `text` is a token, which is never empty. */
export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) if (isTokenCharacter[text.charCodeAt(i)] !== 1) return false;
  return true;
}
