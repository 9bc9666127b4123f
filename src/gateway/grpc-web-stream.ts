/**
 * A request of gRPC-Web seen as one of gRPC: stands between the client's stream and the exchange, which need not know of
 * the other. Until it is decided whether there is gRPC behind the route, what comes is kept; where there is not, the
 * request is passed on as it came.
 */
import type { ErrorCode } from '../base/errors.ts';
import { copyFields } from '../http/field-copy.ts';
import { FIELD, maskOf } from '../http/field-name.ts';
import { fieldById, fieldByName } from '../http/fields.ts';
import { CHUNKED } from '../http/framing.ts';
import { GRPC, GRPC_WEB, GRPC_WEB_TEXT, grpcKind } from '../http/grpc.ts';
import { Base64Decoder, Base64Encoder, trailersFrame } from '../http/grpc-web.ts';
import type { HeadParser } from '../http/head-parser.ts';
import { HeaderEdits } from '../http/header-edits.ts';
import { RequestParser } from '../http/request-parser.ts';
import type { Target } from '../http/target.ts';
import type { ClientCertificate } from '../net/client-certificate.ts';
import { type ClientStream, LENGTH_UNKNOWN, type ListenerInfo, type RequestSink, type Tunnel } from '../net/stream.ts';
import { grpcKindOf } from './grpc-call.ts';

const UNDECIDED = 0;
const PLAIN = 1;
const BRIDGED = 2;

/** Fields that are written anew for gRPC. */
const REWRITTEN = maskOf(FIELD.contentType, FIELD.te);
/** Decoded text is shorter than it was. */
const REWRITTEN_OF_TEXT = REWRITTEN | maskOf(FIELD.contentLength);
/** Fields that say how the call ended: they belong into the last frame, where browsers can read them whatever CORS hides. */
const ENDING: readonly string[] = ['grpc-status', 'grpc-message', 'grpc-status-details-bin'];

/** The stream that stands before one whose request is gRPC-Web; the stream itself for every other. */
export function bridgedStream(stream: ClientStream): ClientStream {
  const kind = grpcKindOf(stream);
  return kind === GRPC_WEB || kind === GRPC_WEB_TEXT ? new GrpcWebStream(stream, kind === GRPC_WEB_TEXT) : stream;
}

export class GrpcWebStream implements ClientStream, RequestSink {
  sink: RequestSink | null = null;
  readonly method: string;
  readonly target: Target;
  readonly rawTarget: string;
  readonly authority: string;
  readonly host: string;
  readonly protocol: string;
  readonly listener: ListenerInfo;
  readonly remoteAddress: string;
  readonly clientCertificate: ClientCertificate | null;
  private readonly stream: ClientStream;
  private readonly decoder: Base64Decoder | null;
  private readonly encoder: Base64Encoder | null;
  private state = UNDECIDED;
  private bridgedHead: HeadParser | null = null;
  // What came before it was decided.
  private kept: Buffer[] = [];
  private keptEnd: string | null = null;
  private broken = false;
  /** The answer is gRPC, and is being given in frames. */
  private framing = false;
  private ending = '';

  constructor(stream: ClientStream, isText: boolean) {
    this.stream = stream;
    this.method = stream.method;
    this.target = stream.target;
    this.rawTarget = stream.rawTarget;
    this.authority = stream.authority;
    this.host = stream.host;
    this.protocol = stream.protocol;
    this.listener = stream.listener;
    this.remoteAddress = stream.remoteAddress;
    this.clientCertificate = stream.clientCertificate;
    this.decoder = isText ? new Base64Decoder() : null;
    this.encoder = isText ? new Base64Encoder() : null;
    stream.sink = this;
  }

  get decided(): boolean {
    return this.state !== UNDECIDED;
  }

  /** Says, once, whether the request is to become gRPC. What came of the body till now is given to the sink. */
  decide(bridge: boolean): void {
    this.state = bridge ? BRIDGED : PLAIN;
    if (bridge) this.bridgedHead = bridgeHead(this.stream, this.decoder === null ? REWRITTEN : REWRITTEN_OF_TEXT);
    const { kept, keptEnd } = this;
    this.kept = [];
    for (const bytes of kept) this.onRequestBody(bytes, 0, bytes.length);
    if (keptEnd !== null) this.onRequestEnd(keptEnd);
  }

  // The request.

  get head(): HeadParser {
    return this.bridgedHead ?? this.stream.head;
  }

  get minor(): number {
    return this.state === BRIDGED ? 1 : this.stream.minor;
  }

  get bodyLength(): number {
    const { bodyLength } = this.stream;
    return this.state === BRIDGED && this.decoder !== null && bodyLength !== 0 ? CHUNKED : bodyLength;
  }

  get expectsContinue(): boolean {
    return this.stream.expectsContinue;
  }

  get bodyReceived(): number {
    return this.stream.bodyReceived;
  }

  get mustSwitch(): boolean {
    return this.stream.mustSwitch;
  }

  switchProtocols(protocol: string, fields: string): Tunnel {
    return this.stream.switchProtocols(protocol, fields);
  }

  get memo(): unknown {
    return this.stream.memo;
  }

  set memo(memo: unknown) {
    this.stream.memo = memo;
  }

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    if (this.broken) return;
    if (this.state === UNDECIDED) this.kept.push(Buffer.from(bytes.subarray(start, end)));
    else if (this.state === PLAIN || this.decoder === null) this.sink?.onRequestBody(bytes, start, end);
    else {
      const decoded = this.decoder.decode(bytes, start, end);
      if (decoded === null) this.breakOff();
      else if (decoded.length > 0) this.sink?.onRequestBody(decoded, 0, decoded.length);
    }
  }

  onRequestEnd(trailers: string): void {
    if (this.broken) return;
    if (this.state === UNDECIDED) this.keptEnd = trailers;
    else if (this.state === BRIDGED && this.decoder?.complete === false) this.breakOff();
    else this.sink?.onRequestEnd(trailers);
  }

  private breakOff(): void {
    this.broken = true;
    this.sink?.onRequestFault('bad_request', 'the body is not the base64 that its type says it is');
  }

  onRequestFault(code: ErrorCode, detail: string): void {
    if (!this.broken) this.sink?.onRequestFault(code, detail);
  }

  onClientGone(): void {
    this.sink?.onClientGone();
  }

  onClientDrain(): void {
    this.sink?.onClientDrain();
  }

  pauseBody(): void {
    this.stream.pauseBody();
  }

  resumeBody(): void {
    this.stream.resumeBody();
  }

  bodyMayRest(): void {
    this.stream.bodyMayRest();
  }

  // The answer.

  closeAfter(): void {
    this.stream.closeAfter();
  }

  writeInformational(status: number, fields: string): void {
    this.stream.writeInformational(status, fields);
  }

  writeHead(status: number, fields: string, length: number): void {
    const lines = this.state === BRIDGED ? this.webLines(fields) : null;
    this.framing = lines !== null;
    if (lines === null) this.stream.writeHead(status, fields, length);
    else this.stream.writeHead(status, lines, LENGTH_UNKNOWN);
  }

  /** The field lines of an answer for the client, what says how it ended put aside; null when it is none of gRPC. */
  private webLines(fields: string): string | null {
    let lines = '';
    let type: string | null = null;
    this.ending = '';
    for (let start = 0; start < fields.length; ) {
      const colon = fields.indexOf(':', start);
      const end = fields.indexOf('\r\n', start) + 2;
      const name = fields.slice(start, colon).toLowerCase();
      if (name === 'content-type') type = fields.slice(colon + 1, end).trim();
      else if (ENDING.includes(name)) this.ending += fields.slice(start, end);
      else if (name !== 'content-length') lines += fields.slice(start, end);
      start = end;
    }
    if (type === null || grpcKind(type) !== GRPC) return null;
    const name = this.encoder === null ? 'application/grpc-web' : 'application/grpc-web-text';
    return `${lines}Content-Type: ${name}${formatOf(type)}\r\n`;
  }

  writeBody(bytes: Buffer, start: number, end: number): boolean {
    if (!this.framing || this.encoder === null) return this.stream.writeBody(bytes, start, end);
    return this.writeText(this.encoder.encode(bytes, start, end));
  }

  private writeText(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    return this.stream.writeBody(bytes, 0, bytes.length);
  }

  flush(): void {
    if (this.framing && this.encoder !== null) this.writeText(this.encoder.flush());
    this.stream.flush();
  }

  end(trailers: string): void {
    this.sink = null;
    if (!this.framing) {
      this.stream.end(trailers);
      return;
    }
    const frame = trailersFrame(this.ending + trailers);
    if (this.encoder === null) this.stream.writeBody(frame, 0, frame.length);
    else this.writeText(this.encoder.encode(frame, 0, frame.length) + this.encoder.flush());
    this.stream.end('');
  }

  abort(): void {
    this.sink = null;
    this.stream.abort();
  }
}

/** The head of a request of gRPC-Web as gRPC has it: read by the parser that reads all heads. */
function bridgeHead(stream: ClientStream, rewritten: number): HeadParser {
  const { head } = stream;
  const edits = new HeaderEdits();
  edits.remove('x-grpc-web');
  if (fieldByName(head, 'accept')?.includes('grpc-web')) edits.remove('accept');
  const type = fieldById(head, FIELD.contentType) as string;
  const text =
    `POST ${stream.rawTarget} HTTP/1.1\r\n` +
    copyFields(head, rewritten, null, edits, head.fieldsStart) +
    `content-type: application/grpc${formatOf(type)}\r\nte: trailers\r\n\r\n`;
  const bytes = Buffer.from(text, 'latin1');
  const parser = new RequestParser(bytes.length);
  parser.execute(bytes, 0, bytes.length);
  return parser;
}

/** `+proto` of a content type, `''` when it names no format; without parameters. */
function formatOf(type: string): string {
  const end = /[; \t]/.exec(type)?.index ?? type.length;
  const plus = type.indexOf('+');
  return plus < 0 || plus > end ? '' : type.slice(plus, end);
}
