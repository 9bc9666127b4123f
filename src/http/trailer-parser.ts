/** The trailer section (RFC 9112 section 7.1.2): field lines without a start line, and the names that may not stand there. */
import { FIELD } from './field-name.ts';
import { FIELD_STRIDE, HEAD_COMPLETE, HeadParser } from './head-parser.ts';

/**
 * Fields that frame, route, authenticate, control or describe the message: in a trailer they could only deceive
 * whoever merges trailers into the head (RFC 9110 section 6.5.1).
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'max-forwards',
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'cache-control',
  'pragma',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'age',
  'date',
  'expires',
  'location',
  'retry-after',
  'vary',
  'warning',
  'content-encoding',
  'content-type',
  'content-range',
  'content-location',
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-request-id',
  'traceparent',
  'http2-settings',
]);

export class TrailerParser extends HeadParser {
  protected scan(bytes: Buffer, base: number, end: number): number {
    if (this.state === 0) this.beginFields();
    const result = this.scanFields(bytes, base, end);
    return result;
  }

  override execute(chunk: Buffer, start: number, end: number): number {
    const result = super.execute(chunk, start, end);
    if (result !== HEAD_COMPLETE) return result;
    for (let i = 0; i < this.count; i++) {
      const at = i * FIELD_STRIDE;
      const name = this.head.slice(this.offsets[at], this.offsets[at + 1]).toLowerCase();
      if (FORBIDDEN.has(name) || this.offsets[at + 4] === FIELD.xClientCert)
        return this.refuse(`the field ${name} must not stand in trailers`);
    }
    return result;
  }
}
