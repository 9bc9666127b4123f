/** Reading of field lines for the reference readers: one regular expression a line, on purpose unlike the codec under test. */

export interface WireField {
  /** As sent. */
  name: string;
  /** Without the white space around it; latin1. */
  value: string;
}

/** Why bytes are not a message; `status` is what a strict server answers. */
export interface WireFault {
  kind: 'malformed';
  reason: string;
  status: number;
  /** `body` when the head was already complete and right. */
  part: 'head' | 'body';
}

export interface WireIncomplete {
  kind: 'incomplete';
  headComplete: boolean;
}

export function malformed(reason: string, part: 'head' | 'body' = 'head', status = 400): WireFault {
  return { kind: 'malformed', reason, status, part };
}

const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;

/** The lines before the empty line, or null while that has not come; `end` is the first byte after it. */
interface Lines {
  lines: string[];
  end: number;
}

/**
 * Takes CRLF lines from `bytes[from...]` up to and including an empty one. A bare CR or LF is a fault wherever it
 * stands (RFC 9112 section 2.2); lines without their end yet are looked at for it too.
 */
export function readLines(bytes: Buffer, from: number, limit: number): Lines | WireFault | null {
  const text = bytes.toString('latin1', from, Math.min(bytes.length, from + limit));
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n');
  const section = end < 0 ? text : text.slice(0, end);
  if (/\r(?!\n|$)|(?<!\r)\n/.test(section)) return malformed('a bare CR or LF');
  if (end >= 0) {
    const length = text.startsWith('\r\n') ? 2 : end + 4;
    return { lines: section === '' ? [] : section.split('\r\n'), end: from + length };
  }
  return null;
}

export function readFields(lines: readonly string[]): WireField[] | WireFault {
  const fields: WireField[] = [];
  for (const line of lines) {
    const match = FIELD_LINE.exec(line);
    if (match === null) return malformed(`not a field line: ${JSON.stringify(line.slice(0, 80))}`);
    fields.push({ name: match[1], value: match[2].replace(/[ \t]+$/, '') });
  }
  return fields;
}

export function isFault(reading: unknown): reading is WireFault {
  return (reading as WireFault | null)?.kind === 'malformed';
}

/** All values of a field, in order. */
export function valuesOf(fields: readonly WireField[], lowerName: string): string[] {
  return fields.filter((field) => field.name.toLowerCase() === lowerName).map((field) => field.value);
}

/** The value of a field, its lines joined; undefined when it is not there. */
export function joinedValue(fields: readonly WireField[], lowerName: string): string | undefined {
  const values = valuesOf(fields, lowerName);
  return values.length === 0 ? undefined : values.join(', ');
}

/** Members of a comma-separated field, lower case. */
export function listOf(fields: readonly WireField[], lowerName: string): string[] {
  return (joinedValue(fields, lowerName) ?? '')
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}
