/** The head of an HTTP/2 request, judged once by the rules that requests of HTTP/1 are judged by. */
import type { ErrorCode } from '../base/errors.ts';
import { FIELD, maskOf } from './field-name.ts';
import { countById, fieldById } from './fields.ts';
import { INVALID_FRAMING, requestFraming } from './framing.ts';
import { HEAD_COMPLETE } from './head-parser.ts';
import type { Http2HeadWriter } from './http2-head-writer.ts';
import { RequestParser } from './request-parser.ts';
import { hostOf, isAuthority, parseTarget, type Target } from './target.ts';

const CONTENT_LENGTH = maskOf(FIELD.contentLength);

/** Nothing of it changes after `judge`: requests whose heads are the same octets share one. */
export class Http2RequestHead {
  readonly parser: RequestParser = new RequestParser(0);
  method = '';
  rawTarget = '';
  readonly target: Target = { path: '', query: '', hasQuery: false, authority: null };
  authority = '';
  host = '';
  /** What `Content-Length` says; below zero when there is none. */
  declared = -1;
  /** The client waits for `100 Continue`. */
  expectsContinue = false;
  /** The request is an extended CONNECT (RFC 8441). */
  isExtended = false;
  /** Why it is refused; null when it is not. */
  code: ErrorCode | null = null;
  detail = '';
  /** Streams that have it. */
  users = 0;
  /** It is kept for requests to come. */
  kept = false;

  /** Reads what was written, of which nothing is malformed. `limit` is in bytes. */
  judge(written: Http2HeadWriter, limit: number): void {
    const { parser } = this;
    this.method = '';
    this.rawTarget = '';
    this.authority = '';
    this.host = '';
    this.declared = -1;
    this.expectsContinue = false;
    this.isExtended = false;
    this.code = null;
    parser.reset();
    parser.limit = limit;
    if (written.tooLarge) this.refuse('request_head_too_large', 'the head is larger than the limit');
    else if (written.refusal !== '') this.refuse('bad_request', written.refusal);
    else this.parse(written);
  }

  private refuse(code: ErrorCode, detail: string): void {
    this.code = code;
    this.detail = detail;
  }

  private parse({ text, length, lines, isExtended }: Http2HeadWriter): void {
    const { parser } = this;
    if (parser.execute(text, 0, length) !== HEAD_COMPLETE) {
      return this.refuse(parser.fault === 'malformed' ? 'bad_request' : 'request_head_too_large', parser.detail);
    }
    // A field that was more than one line of text would be an attack on whoever reads the text.
    if (parser.consumed !== length || parser.count !== lines) {
      return this.refuse('bad_request', 'a field has a line break in it');
    }
    this.method = parser.method;
    this.rawTarget = parser.target;
    if (parser.method === 'CONNECT') return this.refuse('method_not_allowed', 'CONNECT is not served');
    if (!parseTarget(parser.method, parser.target, this.target) || this.target.authority !== null) {
      return this.refuse('bad_request', 'the request target is of no form that this server takes');
    }
    const authority = countById(parser, FIELD.host) === 1 ? fieldById(parser, FIELD.host) : undefined;
    if (authority === undefined || !isAuthority(authority)) {
      return this.refuse('bad_request', 'there is not one valid :authority');
    }
    this.authority = authority;
    this.host = hostOf(authority);
    this.readBody(isExtended);
  }

  private readBody(isExtended: boolean): void {
    const { parser } = this;
    const expectation = fieldById(parser, FIELD.expect);
    if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
      return this.refuse('expectation_failed', 'the only expectation known is 100-continue');
    }
    this.expectsContinue = expectation !== undefined;
    const length = requestFraming(parser, 1);
    if (length === INVALID_FRAMING) {
      return this.refuse('bad_request', 'Content-Length does not tell one certain length');
    }
    if ((parser.seen & CONTENT_LENGTH) !== 0) this.declared = length;
    this.isExtended = isExtended;
    if (isExtended && this.declared > 0) this.refuse('bad_request', 'a CONNECT has no length');
  }
}
