/**
 * The fields of an HTTP/2 request or trailer section, written as the text that HTTP/1 has for them, so that one parser reads
 * both. What only HTTP/2 forbids is found here (RFC 9113 sections 8.2 and 8.3).
 */
import { FIELD_VALUE, TOKEN } from './byte-class.ts';
import { CONNECTION_SPECIFIC_IDS } from './connection-fields.ts';
import { FIELD, fieldIdOfBytes } from './field-name.ts';
import type { HpackSink } from './hpack-decoder.ts';

const COLON = 58;
const SP = 32;
const HTAB = 9;
const CR = 13;
const LF = 10;

/** Field lines of one head. */
const MOST_LINES = 256;
/** Octets of fields beyond the limit after which a request is no longer worth an answer. */
const EXCESS = 64 * 1024;

/** Characters of a field name, which has no upper case (RFC 9113 section 8.2.1). */
const NAME: Uint8Array = TOKEN.map((is, code) => (code >= 65 && code <= 90 ? 0 : is));

const METHOD = 0;
const SCHEME = 1;
const PATH = 2;
const AUTHORITY = 3;
const PROTOCOL = 4;
const PSEUDO_FIELDS: readonly Uint8Array[] = [':method', ':scheme', ':path', ':authority', ':protocol'].map((name) =>
  Buffer.from(name),
);

const CONNECT = Buffer.from('CONNECT');
const WEBSOCKET = Buffer.from('websocket');
const TRAILERS = Buffer.from('trailers');
const COOKIE = Buffer.from('cookie');
const COOKIE_LINE = Buffer.from('cookie: ');
const HOST_LINE = Buffer.from('host: ');
const VERSION_LINE = Buffer.from(' HTTP/1.1\r\n');
const GET = Buffer.from('GET ');
const LINE_END = Buffer.from('\r\n');
/** An extended CONNECT as the upgrade that HTTP/1.1 has in its place; the key is any. */
const UPGRADE_LINES = 'upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: ';

/** It serves one head after another, of whatever connection. */
export class Http2HeadWriter implements HpackSink {
  /** The text, as far as it is written: `text[0, length)`. */
  text: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  length = 0;
  /** How many field lines there are. */
  lines = 0;
  /** Why the stream must be reset; `''` when it need not. */
  malformed = '';
  /** Why the request is to be refused; `''` when it is not. */
  refusal = '';
  /** It is larger than the limit, and not all of it was written. */
  tooLarge = false;
  /** So much larger that nobody asks in good faith. */
  excessive = false;
  /** The request is an extended CONNECT (RFC 8441), written as the upgrade that HTTP/1.1 has in its place. */
  isExtended = false;
  private limit = 0;
  private size = 0;
  private isTrailers = false;
  private inLines = false;
  private authorityFrom = 0;
  private authorityTo = 0;
  // The values of pseudo-header fields: `pseudo[ends[i - 1], ends[i])` in the order in which they came.
  private pseudo = Buffer.allocUnsafeSlow(16 * 1024);
  private pseudoLength = 0;
  private readonly from = new Int32Array(PSEUDO_FIELDS.length);
  private readonly to = new Int32Array(PSEUDO_FIELDS.length);
  private cookie = Buffer.allocUnsafeSlow(4096);
  private cookieLength = 0;

  /** Makes ready for the fields of one head; `limit` is what its text may have, in bytes. */
  begin(limit: number, isTrailers: boolean): void {
    this.limit = limit;
    if (this.text.length < limit + 1024) this.text = Buffer.allocUnsafeSlow(limit + 1024);
    this.length = 0;
    this.lines = 0;
    this.malformed = '';
    this.refusal = '';
    this.tooLarge = false;
    this.excessive = false;
    this.isExtended = false;
    this.size = 0;
    this.isTrailers = isTrailers;
    this.inLines = isTrailers;
    this.authorityFrom = this.authorityTo = 0;
    this.pseudoLength = 0;
    this.from.fill(-1);
    this.cookieLength = 0;
  }

  onField(name: Uint8Array, nameStart: number, nameEnd: number, value: Uint8Array, from: number, to: number): void {
    if (this.malformed !== '' || this.excessive) return;
    this.size += nameEnd - nameStart + to - from;
    if (this.size > this.limit) this.onExcess();
    if (name[nameStart] === COLON) return this.onPseudoField(name, nameStart, nameEnd, value, from, to);
    if (!this.inLines) this.beginLines();
    if (!isName(name, nameStart, nameEnd)) return this.refuse('a field name that is none');
    if (!isValue(value, from, to)) return this.refuse('a field value that is none');
    if (this.isTrailers) return this.line(name, nameStart, nameEnd, value, from, to);
    const id = fieldIdOfBytes(name, nameStart, nameEnd);
    if (id !== FIELD.other) {
      if ((CONNECTION_SPECIFIC_IDS & (1 << id)) !== 0) return this.refuse('a field of one connection');
      if (id === FIELD.te && !isSame(value, from, to, TRAILERS)) return this.refuse('TE is not "trailers"');
      if (id === FIELD.host && this.from[AUTHORITY] >= 0) return this.compareHost(value, from, to);
    } else if (isSame(name, nameStart, nameEnd, COOKIE)) return this.onCookie(value, from, to);
    this.line(name, nameStart, nameEnd, value, from, to);
  }

  private refuse(detail: string): void {
    this.malformed ||= detail;
  }

  private onExcess(): void {
    this.tooLarge = true;
    this.excessive = this.size > this.limit + EXCESS;
  }

  private onPseudoField(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    from: number,
    to: number,
  ): void {
    if (this.inLines) return this.refuse('a pseudo-header field where none may be');
    let which = PSEUDO_FIELDS.length - 1;
    while (which >= 0 && !isSame(name, nameStart, nameEnd, PSEUDO_FIELDS[which])) which--;
    if (which < 0) return this.refuse('a pseudo-header field that no request has');
    if (this.from[which] >= 0) return this.refuse('a pseudo-header field is repeated');
    if (!isValue(value, from, to)) return this.refuse('a field value that is none');
    const length = this.pseudoLength + to - from;
    if (length > this.pseudo.length) {
      // What is beyond the limit is not needed to refuse it.
      if (this.tooLarge) to = from;
      else this.pseudo = Buffer.concat([this.pseudo], Math.max(length, 2 * this.pseudo.length));
    }
    this.from[which] = this.pseudoLength;
    this.pseudoLength = copy(value, from, to, this.pseudo, this.pseudoLength);
    this.to[which] = this.pseudoLength;
  }

  /** All pseudo-header fields have come: the request line (RFC 9113 section 8.3.1). */
  private beginLines(): void {
    this.inLines = true;
    const { from, to, pseudo } = this;
    if (from[METHOD] < 0) return this.refuse(':method is missing');
    const isConnect = isSame(pseudo, from[METHOD], to[METHOD], CONNECT);
    const isTunnel = isConnect && from[PROTOCOL] < 0;
    if (isTunnel ? from[SCHEME] >= 0 || from[PATH] >= 0 : from[SCHEME] < 0 || from[PATH] < 0) {
      return this.refuse(isTunnel ? ':scheme or :path of a CONNECT' : ':scheme or :path is missing');
    }
    if (!isTunnel && from[PATH] === to[PATH]) return this.refuse(':path is empty');
    // A target in authority form (RFC 9113 section 8.5).
    const target = isTunnel ? AUTHORITY : PATH;
    if (from[target] < 0) return this.refuse(':authority is missing');
    // The authority of a CONNECT is written twice.
    if ((isTunnel ? 2 : 1) * this.pseudoLength + 64 > this.limit) this.tooLarge = true;
    if (this.tooLarge) return;
    if (from[PROTOCOL] >= 0) this.beginExtended(isConnect);
    else {
      this.append(pseudo, from[METHOD], to[METHOD]);
      this.text[this.length++] = SP;
    }
    this.append(pseudo, from[target], to[target]);
    this.append(VERSION_LINE, 0, VERSION_LINE.length);
    if (from[AUTHORITY] < 0) return;
    this.authorityFrom = this.length + HOST_LINE.length;
    this.append(HOST_LINE, 0, HOST_LINE.length);
    this.append(pseudo, from[AUTHORITY], to[AUTHORITY]);
    this.authorityTo = this.length;
    this.append(LINE_END, 0, 2);
    this.lines++;
  }

  private beginExtended(isConnect: boolean): void {
    const { from, to, pseudo } = this;
    if (!isConnect || !isSame(pseudo, from[PROTOCOL], to[PROTOCOL], WEBSOCKET, 0x20)) {
      this.refusal = ':protocol is not known here';
    }
    this.isExtended = true;
    this.append(GET, 0, GET.length);
  }

  private compareHost(value: Uint8Array, from: number, to: number): void {
    const { authorityFrom, authorityTo, text } = this;
    if (this.tooLarge) return;
    if (!isSame(value, from, to, text.subarray(authorityFrom, authorityTo))) {
      this.refusal ||= ':authority and Host differ';
    }
  }

  /** Cookies that came in pieces become one field (RFC 9113 section 8.2.3). */
  private onCookie(value: Uint8Array, from: number, to: number): void {
    if (this.tooLarge) return;
    const length = this.cookieLength + to - from + 2;
    if (length > this.cookie.length) this.cookie = Buffer.concat([this.cookie], 2 * length);
    if (this.cookieLength > 0) {
      this.cookie[this.cookieLength++] = 59;
      this.cookie[this.cookieLength++] = SP;
    }
    this.cookieLength = copy(value, from, to, this.cookie, this.cookieLength);
  }

  private line(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    from: number,
    to: number,
  ): void {
    if (this.lines === MOST_LINES) this.tooLarge = true;
    if (this.length + nameEnd - nameStart + to - from > this.limit) this.tooLarge = true;
    if (this.tooLarge) return;
    const { text } = this;
    let at = copy(name, nameStart, nameEnd, text, this.length);
    text[at++] = COLON;
    text[at++] = SP;
    at = copy(value, from, to, text, at);
    text[at++] = CR;
    text[at++] = LF;
    this.length = at;
    this.lines++;
  }

  private append(bytes: Uint8Array, from: number, to: number): void {
    this.length = copy(bytes, from, to, this.text, this.length);
  }

  /** Ends the head; `key` is called when it is one of an upgrade, for what is to stand as the key of the handshake. */
  finish(key: () => string): void {
    if (!this.inLines) this.beginLines();
    if (this.malformed !== '' || this.tooLarge) return;
    if (this.isExtended) {
      this.length += this.text.write(`${UPGRADE_LINES}${key()}\r\n`, this.length, 'latin1');
      this.lines += 3;
    }
    if (this.cookieLength > 0) {
      if (this.length + this.cookieLength > this.limit) {
        this.tooLarge = true;
        return;
      }
      this.append(COOKIE_LINE, 0, COOKIE_LINE.length);
      this.append(this.cookie, 0, this.cookieLength);
      this.append(LINE_END, 0, 2);
      this.lines++;
    }
    this.append(LINE_END, 0, 2);
  }
}

function copy(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  for (let i = start; i < end; i++) into[at++] = from[i];
  return at;
}

/** `fold` is set in each octet before it is compared: 0x20 makes letters of both cases one. */
function isSame(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array, fold = 0): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if ((bytes[start + i] | fold) !== wanted[i]) return false;
  return true;
}

function isName(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (NAME[bytes[i]] === 0) return false;
  return end > start;
}

/** No control, and no white space at either end (RFC 9113 section 8.2.1). */
function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  for (let i = start; i < end; i++) if (FIELD_VALUE[bytes[i]] === 0) return false;
  const first = bytes[start];
  const last = bytes[end - 1];
  return first !== SP && first !== HTAB && last !== SP && last !== HTAB;
}
