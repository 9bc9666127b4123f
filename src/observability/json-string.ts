/** Text as a JSON string, fast where nothing needs to be escaped, valid whatever bytes a client sent. */

/** 1: the character cannot stand in a JSON string, or in a log line, as it is. */
const ESCAPED = new Uint8Array(256);
ESCAPED.fill(1, 0, 0x20);
ESCAPED[0x22] = 1;
ESCAPED[0x5c] = 1;
ESCAPED.fill(1, 0x7f, 0xa0);

/** With its quotes. Characters above US-ASCII stay: the line is written as UTF-8. */
export function jsonString(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Lone surrogates and line separators go the slow way too.
    if (code > 255 || ESCAPED[code] === 1) return slowJsonString(text);
  }
  return `"${text}"`;
}

function slowJsonString(text: string): string {
  // DEL, C1 controls and line separators are legal in JSON, but terminals and line-based tools act on them.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
