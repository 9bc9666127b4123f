/** The trailers of HTTP/2 as the library takes and gives them for upstreams, from and to the field lines of HTTP/1. */
import type { OutgoingHttpHeaders } from 'node:http2';
import { CONNECTION_SPECIFIC } from '../http/connection-fields.ts';
import { HEAD_COMPLETE } from '../http/head-parser.ts';
import { SEPARATE_FIELDS } from '../http/separate-fields.ts';
import { TrailerParser } from '../http/trailer-parser.ts';

/** Why fields make no head. */
export interface FieldFault {
  readonly fault: string;
}

/**
 * Trailers as the library takes them. The lines were checked when they were made. Lines of one name become one value: the
 * library throws when a name that it takes for a single one comes twice.
 */
export function trailerFields(lines: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start);
    const colon = lines.indexOf(':', start);
    const name = lines.slice(start, colon).toLowerCase();
    const value = lines.slice(lines.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1, end);
    const before = headers[name];
    if (before === undefined) {
      // A policy may have added what upstreams are not let through with, and the library throws for.
      if (!CONNECTION_SPECIFIC.has(name) && name !== 'te') headers[name] = value;
    } else if (!SEPARATE_FIELDS.has(name)) headers[name] = `${before}, ${value}`;
    else if (Array.isArray(before)) before.push(value);
    else headers[name] = [String(before), value];
    start = end + 2;
  }
  return headers;
}

/** Trailers as field lines; refused as those of HTTP/1 are. */
export function trailerText(fields: readonly string[]): string | FieldFault {
  let lines = '';
  for (let i = 0; i < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`;
  const parser = new TrailerParser(8192);
  const bytes = Buffer.from(`${lines}\r\n`, 'latin1');
  if (parser.execute(bytes, 0, bytes.length) !== HEAD_COMPLETE) return { fault: parser.detail };
  const isWhole = parser.consumed === bytes.length && parser.count * 2 === fields.length;
  return isWhole ? lines : { fault: 'a trailer has a line break in it' };
}
