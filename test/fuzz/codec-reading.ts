/** Drives the codec as the connections do, without sockets: pieces in, messages out, for comparison with the reference. */
import { type BodySink, CHUNKED_DONE, CHUNKED_INVALID, ChunkedDecoder } from '../../src/http/chunked-decoder.ts';
import { FIELD } from '../../src/http/field-name.ts';
import { countById, fieldById } from '../../src/http/fields.ts';
import { CHUNKED, INVALID_FRAMING, requestFraming, responseFraming, UNTIL_CLOSE } from '../../src/http/framing.ts';
import { FIELD_STRIDE, HEAD_COMPLETE, HEAD_INVALID, type HeadParser } from '../../src/http/head-parser.ts';
import { RequestParser } from '../../src/http/request-parser.ts';
import { ResponseParser } from '../../src/http/response-parser.ts';
import { isAuthority, parseTarget } from '../../src/http/target.ts';

/** Messages as text lines, and what stands after them. */
export interface Reading {
  messages: string[];
  rest: 'refused' | 'incomplete' | 'end';
}

function describe(parser: HeadParser, start: string): string {
  let text = start;
  for (let i = 0, at = 0; i < parser.count; i++, at += FIELD_STRIDE) {
    const { head, offsets } = parser;
    text += `|${head.slice(offsets[at], offsets[at + 1])}=${head.slice(offsets[at + 2], offsets[at + 3])}`;
  }
  return text;
}

/** The state machine that requests and responses share: head, body, next. */
abstract class CodecReader implements BodySink {
  readonly messages: string[] = [];
  refused = false;
  protected inBody = false;
  private left = 0;
  private text = '';
  private body: Buffer[] = [];
  private readonly decoder = new ChunkedDecoder();
  protected abstract readonly parser: HeadParser;

  /** The body's length, or null when the head is refused. */
  protected abstract judgeHead(): number | null;
  protected abstract startLine(): string;

  onBodyBytes(bytes: Buffer, start: number, end: number): void {
    this.body.push(Buffer.from(bytes.subarray(start, end)));
  }

  feed(piece: Buffer): void {
    // The codec must not rely on bytes of earlier pieces: they are overwritten after each call, as a read buffer is.
    const shared = Buffer.from(piece);
    let at = 0;
    while (at < shared.length && !this.refused)
      at = this.inBody ? this.takeBody(shared, at) : this.takeHead(shared, at);
    shared.fill(0x2e);
  }

  private takeHead(bytes: Buffer, at: number): number {
    const result = this.parser.execute(bytes, at, bytes.length);
    if (result === HEAD_INVALID) this.refused = true;
    if (result !== HEAD_COMPLETE) return bytes.length;
    const length = this.judgeHead();
    const { consumed } = this.parser;
    if (length === null) {
      this.refused = true;
      return bytes.length;
    }
    this.text = describe(this.parser, this.startLine());
    this.left = length;
    this.inBody = true;
    if (length === CHUNKED) this.decoder.reset();
    else if (length === 0) this.finish('');
    return consumed;
  }

  private takeBody(bytes: Buffer, at: number): number {
    if (this.left === CHUNKED) {
      const result = this.decoder.execute(bytes, at, bytes.length, this);
      if (result === CHUNKED_INVALID) this.refused = true;
      if (result !== CHUNKED_DONE) return bytes.length;
      this.finish(this.decoder.trailers);
      return this.decoder.consumed;
    }
    const stop = this.left === UNTIL_CLOSE ? bytes.length : Math.min(bytes.length, at + this.left);
    this.onBodyBytes(bytes, at, stop);
    if (this.left !== UNTIL_CLOSE && (this.left -= stop - at) === 0) this.finish('');
    return stop;
  }

  private finish(trailers: string): void {
    this.messages.push(`${this.text}|${Buffer.concat(this.body).toString('latin1')}|${normalTrailers(trailers)}`);
    this.body = [];
    this.inBody = false;
    this.parser.reset();
  }

  /** The sender closes cleanly. */
  end(): void {
    if (this.inBody && this.left === UNTIL_CLOSE) this.finish('');
  }

  get reading(): Reading {
    const idle = !this.inBody && this.parser.untouched;
    return { messages: this.messages, rest: this.refused ? 'refused' : idle ? 'end' : 'incomplete' };
  }
}

/** Trailer lines as the reference tells them: `name=value`, white space around values gone. */
function normalTrailers(trailers: string): string {
  return trailers
    .split('\r\n')
    .filter((line) => line !== '')
    .map(
      (line) =>
        `${line.slice(0, line.indexOf(':'))}=${line.slice(line.indexOf(':') + 1).replace(/^[ \t]+|[ \t]+$/g, '')}`,
    )
    .join('|');
}

class RequestReader extends CodecReader {
  protected readonly parser: RequestParser;

  constructor(limit: number) {
    super();
    this.parser = new RequestParser(limit);
  }

  protected startLine(): string {
    return `${this.parser.method} ${this.parser.target} ${this.parser.minor}`;
  }

  protected judgeHead(): number | null {
    const { parser } = this;
    const target = { path: '', query: '', hasQuery: false, authority: null };
    if (parser.minor < 0 || parser.method === 'CONNECT') return null;
    if (!parseTarget(parser.method, parser.target, target)) return null;
    const hosts = countById(parser, FIELD.host);
    if (hosts > 1 || (hosts === 0 && parser.minor === 1)) return null;
    if (hosts === 1 && !isAuthority(fieldById(parser, FIELD.host) as string)) return null;
    const length = requestFraming(parser, parser.minor);
    return length === INVALID_FRAMING ? null : length;
  }
}

class ResponseReader extends CodecReader {
  protected readonly parser: ResponseParser;
  private readonly method: string;

  constructor(limit: number, method: string) {
    super();
    this.parser = new ResponseParser(limit);
    this.method = method;
  }

  protected startLine(): string {
    return `${this.parser.status} ${this.parser.minor}`;
  }

  protected judgeHead(): number | null {
    const { parser } = this;
    if (parser.status < 200) return 0;
    const length = responseFraming(parser, parser.minor, parser.status, this.method);
    return length === INVALID_FRAMING ? null : length;
  }
}

export function codecRequests(pieces: readonly Buffer[], limit: number): Reading {
  const reader = new RequestReader(limit);
  for (const piece of pieces) reader.feed(piece);
  return reader.reading;
}

/** Reads all answers to requests of one method, and the clean end after them. */
export function codecResponses(pieces: readonly Buffer[], method: string, limit: number): Reading {
  const reader = new ResponseReader(limit, method);
  for (const piece of pieces) reader.feed(piece);
  reader.end();
  return reader.reading;
}
