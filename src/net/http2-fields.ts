/** The fields of HTTP/2 as heads of HTTP/1, and back. */
import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http2';
import { HEAD_COMPLETE } from '../http/head-parser.ts';
import { TrailerParser } from '../http/trailer-parser.ts';

/** Why fields make no head. */
export interface FieldFault {
  readonly fault: string;
}

/** A head as text, and how many field lines it has unless a field holds a line break. */
export interface HeadText {
  readonly text: string;
  readonly lines: number;
  /** The request is an extended CONNECT (RFC 8441), written as the upgrade that HTTP/1.1 has in its place. */
  readonly extended: boolean;
}

/**
 * The head of a request as HTTP/1.1 would have it, not checked yet: whoever takes it parses it. `fields` are names and
 * values in turns. Cookies that came in pieces become one (RFC 9113 section 8.2.3).
 */
export function requestText(fields: readonly string[]): HeadText | FieldFault {
  let method = '';
  let path = '';
  let authority: string | null = null;
  let protocol: string | null = null;
  let cookie = '';
  let lines = '';
  let host: string | null = null;
  let count = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    const value = fields[i + 1];
    if (name.charCodeAt(0) === 58) {
      if (name === ':method') method = value;
      else if (name === ':path') path = value;
      else if (name === ':authority') authority = value;
      else if (name === ':protocol') protocol = value;
      else if (name !== ':scheme') return { fault: `${name} is not known here` };
    } else if (name === 'cookie') cookie = cookie === '' ? value : `${cookie}; ${value}`;
    else {
      // More than one is for the reader of the head to refuse.
      if (name === 'host') host = value;
      lines += `${name}: ${value}\r\n`;
      count++;
    }
  }
  if (protocol !== null) {
    if (method !== 'CONNECT' || protocol.toLowerCase() !== 'websocket') return { fault: ':protocol is not known here' };
    method = 'GET';
    lines += `upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n`;
    count += 3;
  }
  // A target in authority form (RFC 9113 section 8.5).
  if (method === 'CONNECT' && path === '') path = authority ?? '';
  if (cookie !== '') {
    lines += `cookie: ${cookie}\r\n`;
    count++;
  }
  if (authority !== null) {
    if (host !== null && host !== authority) return { fault: ':authority and Host differ' };
    if (host === null) {
      lines = `host: ${authority}\r\n${lines}`;
      count++;
    }
  }
  return { text: `${method} ${path} HTTP/1.1\r\n${lines}\r\n`, lines: count, extended: protocol !== null };
}

/** Names of which each line must stay by itself: their values have commas of their own (RFC 9110 section 5.3). */
const SEPARATE: ReadonlySet<string> = new Set(['set-cookie', 'www-authenticate', 'proxy-authenticate']);

/**
 * Field lines as the library takes them; `status` 0 for trailers. The lines were checked when they were made. Lines of one
 * name become one value: the library throws when a name that it takes for a single one comes twice.
 */
export function fieldsOf(lines: string, status: number): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  if (status !== 0) headers[':status'] = status;
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start);
    const colon = lines.indexOf(':', start);
    const name = lines.slice(start, colon).toLowerCase();
    const value = lines.slice(lines.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1, end);
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (!SEPARATE.has(name)) headers[name] = `${before}, ${value}`;
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
