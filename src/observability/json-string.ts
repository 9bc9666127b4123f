/** Text as a JSON string, fast where nothing needs to be escaped, valid whatever bytes a client sent. */

/** 1: the character stands in a JSON string as it is: printable US-ASCII without `"` and `\`. */
const PLAIN = new Uint8Array(128).fill(1, 0x20, 0x7f);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

/**
 * With its quotes, in US-ASCII: what is beyond is escaped, since clients' bytes are of no known encoding, and DEL, C1
 * controls and line separators are legal in JSON but act on terminals and line-based tools.
 */
export function jsonString(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (PLAIN[text.charCodeAt(i)] !== 1) return asciiJson(JSON.stringify(text));
  }
  return `"${text}"`;
}

/** JSON text with everything beyond US-ASCII, and DEL, escaped. */
export function asciiJson(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, escapeUnit);
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
