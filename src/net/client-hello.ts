/**
 * The name and the protocols that a TLS client asks for, read from its first message without ending TLS (RFC 8446 section
 * 4.1.2, RFC 6066 section 3, RFC 7301 section 3.1). Bytes in, verdicts out; no sockets.
 */

export const HELLO_NEED_MORE = 0;
export const HELLO_COMPLETE = 1;
export const HELLO_INVALID = 2;

export type HelloResult = typeof HELLO_NEED_MORE | typeof HELLO_COMPLETE | typeof HELLO_INVALID;

/** Of the records up to the end of the message, their headers included, in bytes. */
const LONGEST = 16 * 1024;
const RECORD_HEADER = 5;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** Type and length of a handshake message. */
const MESSAGE_HEADER = 4;
/** The largest plain record (RFC 8446 section 5.1). */
const LARGEST_RECORD = 16 * 1024;

const SERVER_NAME = 0;
const ALPN = 16;

export class ClientHelloReader {
  /** Lower case; `''` when the client asks for none. */
  serverName = '';
  /** What ALPN offers, in the client's order, bytes as latin1; GREASE among it (RFC 8701). */
  protocols: readonly string[] = [];
  /** What is wrong. */
  detail = '';
  private readonly header = Buffer.alloc(RECORD_HEADER);
  private headerLength = 0;
  /** Of the record under way. */
  private left = 0;
  private message: Buffer = Buffer.alloc(0);
  private messageLength = 0;
  /** Bytes of all that was looked at. */
  private total = 0;

  /** Takes bytes as they come. To be asked no more after anything but `HELLO_NEED_MORE`. */
  execute(bytes: Buffer): HelloResult {
    let at = 0;
    while (at < bytes.length) {
      const before = at;
      if (this.left === 0) {
        this.header[this.headerLength++] = bytes[at++];
        if (!this.isHandshakeSoFar()) return HELLO_INVALID;
      } else {
        const size = Math.min(this.left, bytes.length - at);
        if (!this.take(bytes, at, at + size)) return HELLO_INVALID;
        at += size;
        this.left -= size;
        if (this.isWhole) return this.read() ? HELLO_COMPLETE : HELLO_INVALID;
      }
      this.total += at - before;
      if (this.total > LONGEST) return this.refuse('the ClientHello is too large');
    }
    return HELLO_NEED_MORE;
  }

  private refuse(detail: string): typeof HELLO_INVALID {
    this.detail = detail;
    return HELLO_INVALID;
  }

  /** Judges the header of a record as far as it has come: what is not TLS is told by its first byte. */
  private isHandshakeSoFar(): boolean {
    const { header, headerLength } = this;
    // The minor version says nothing (RFC 8446 section 5.1), and no major one but 3 was ever TLS.
    if (header[0] !== HANDSHAKE || (headerLength > 1 && header[1] !== 3)) {
      this.refuse('the connection does not begin with a TLS handshake');
      return false;
    }
    if (headerLength < RECORD_HEADER) return true;
    this.headerLength = 0;
    this.left = header.readUInt16BE(3);
    if (this.left > 0 && this.left <= LARGEST_RECORD) return true;
    this.refuse('the length of a TLS record is out of its range');
    return false;
  }

  /** Puts a fragment to the message. */
  private take(bytes: Buffer, start: number, end: number): boolean {
    const length = this.messageLength;
    if (length + end - start > this.message.length) {
      const larger = Buffer.allocUnsafe(Math.max(512, 2 * (length + end - start)));
      this.message.copy(larger, 0, 0, length);
      this.message = larger;
    }
    bytes.copy(this.message, length, start, end);
    this.messageLength += end - start;
    if (this.message[0] !== CLIENT_HELLO) {
      this.refuse('the first TLS message is not a ClientHello');
      return false;
    }
    if (this.messageLength < MESSAGE_HEADER || this.wholeLength <= LONGEST) return true;
    this.refuse('the ClientHello is too large');
    return false;
  }

  private get wholeLength(): number {
    return MESSAGE_HEADER + this.message.readUIntBE(1, 3);
  }

  private get isWhole(): boolean {
    return this.messageLength >= MESSAGE_HEADER && this.messageLength >= this.wholeLength;
  }

  private read(): boolean {
    const fields = new Fields(this.message.subarray(MESSAGE_HEADER, this.wholeLength));
    // legacy_version and random.
    fields.skip(34);
    const session = fields.vector(1);
    const suites = fields.vector(2);
    const compressions = fields.vector(1);
    const sound = session.length <= 32 && suites.length >= 2 && suites.length % 2 === 0 && compressions.length >= 1;
    if (fields.failed || !sound) return this.failRead('the ClientHello is malformed');
    // Before TLS 1.3 a client could do without them.
    if (fields.atEnd) return true;
    const extensions = new Fields(fields.vector(2));
    if (fields.failed || !fields.atEnd) return this.failRead('the extensions of the ClientHello are malformed');
    return this.readExtensions(extensions);
  }

  private readExtensions(extensions: Fields): boolean {
    let seen = 0;
    while (!extensions.atEnd) {
      const type = extensions.number(2);
      const data = extensions.vector(2);
      if (extensions.failed) return this.failRead('the extensions of the ClientHello are malformed');
      if (type !== SERVER_NAME && type !== ALPN) continue;
      const bit = type === SERVER_NAME ? 1 : 2;
      // RFC 8446 section 4.2: there must not be two of one type.
      if ((seen & bit) !== 0) return this.failRead('an extension of the ClientHello is repeated');
      seen |= bit;
      const sound = type === SERVER_NAME ? this.readServerName(data) : this.readProtocols(data);
      if (!sound) return this.failRead(type === SERVER_NAME ? 'the SNI is malformed' : 'the ALPN list is malformed');
    }
    return true;
  }

  private failRead(detail: string): false {
    this.serverName = '';
    this.protocols = [];
    this.detail = detail;
    return false;
  }

  private readServerName(data: Buffer): boolean {
    const list = oneVector(data);
    if (list === null || list.atEnd) return false;
    while (!list.atEnd) {
      const type = list.number(1);
      // Of every type there is to be the length stands first (RFC 6066 section 3).
      const name = list.vector(2);
      if (list.failed) return false;
      if (type !== 0) continue;
      if (this.serverName !== '' || name.length > 255 || !isName(name)) return false;
      this.serverName = name.toString('latin1').toLowerCase();
    }
    return true;
  }

  private readProtocols(data: Buffer): boolean {
    const list = oneVector(data);
    if (list === null || list.atEnd) return false;
    const protocols: string[] = [];
    while (!list.atEnd) {
      const name = list.vector(1);
      if (list.failed || name.length === 0) return false;
      protocols.push(name.toString('latin1'));
    }
    this.protocols = protocols;
    return true;
  }
}

/** What a vector with a length of two bytes holds; null unless it is all that `data` is. */
function oneVector(data: Buffer): Fields | null {
  const outer = new Fields(data);
  const inner = outer.vector(2);
  return outer.failed || !outer.atEnd ? null : new Fields(inner);
}

/** Printable ASCII, which host names are of, those beyond it in punycode. */
function isName(name: Buffer): boolean {
  if (name.length === 0) return false;
  for (const byte of name) if (byte <= 0x20 || byte >= 0x7f) return false;
  return true;
}

/** Reads one field after another. What reads past the end fails, once and for all, and gives nothing. */
class Fields {
  failed = false;
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  skip(size: number): void {
    if (this.at + size > this.bytes.length) this.failed = true;
    else this.at += size;
  }

  number(size: number): number {
    const { at } = this;
    this.skip(size);
    return this.failed ? 0 : this.bytes.readUIntBE(at, size);
  }

  /** Bytes after a length of `size` bytes. */
  vector(size: number): Buffer {
    const length = this.number(size);
    const { at } = this;
    this.skip(length);
    return this.failed ? this.bytes.subarray(0, 0) : this.bytes.subarray(at, at + length);
  }
}
