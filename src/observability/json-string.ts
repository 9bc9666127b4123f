/** Text as a JSON string, fast where nothing needs to be escaped, valid whatever bytes a client sent. */

/** 1: the character cannot stand in a JSON string, or in a log line, as it is. */
const ESCAPED = new Uint8Array(256).fill(1);
ESCAPED.fill(0, 0x20, 0x7f);
ESCAPED[0x22] = 1;
ESCAPED[0x5c] = 1;

/**
 * With its quotes, in US-ASCII: what is beyond is escaped, since clients' bytes are of no known encoding, and DEL, C1
 * controls and line separators are legal in JSON but act on terminals and line-based tools.
 */
export function jsonString(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || ESCAPED[code] === 1) return slowJsonString(text);
  }
  return `"${text}"`;
}

function slowJsonString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
