/** What an exchange knows beside everything else when its request is a call of gRPC. */
import { FIELD } from '../http/field-name.ts';
import { fieldById, fieldByName } from '../http/fields.ts';
import {
  formatGrpcTimeout,
  GRPC,
  GRPC_STATUS,
  grpcKind,
  grpcStatusIn,
  grpcStatusOfHttp,
  NO_GRPC_STATUS,
  NOT_GRPC,
  parseGrpcStatus,
  parseGrpcTimeout,
} from '../http/grpc.ts';
import type { HeadParser } from '../http/head-parser.ts';
import type { HeaderEdits } from '../http/header-edits.ts';
import type { ResponseParser } from '../http/response-parser.ts';
import type { ClientStream } from '../net/stream.ts';

/** Which gRPC a request is; only what is posted can be any. */
export function grpcKindOf(stream: ClientStream): number {
  if (stream.method !== 'POST') return NOT_GRPC;
  const type = fieldById(stream.head, FIELD.contentType);
  return type === undefined ? NOT_GRPC : grpcKind(type);
}

/** Null when the request is not gRPC, or came by a version of HTTP that only gRPC-Web, of which it `isBridged`, is spoken over. */
export function grpcCallOf(stream: ClientStream, isBridged: boolean): GrpcCall | null {
  if (grpcKindOf(stream) !== GRPC) return null;
  return isBridged || stream.protocol === 'HTTP/2.0' ? new GrpcCall(stream.head) : null;
}

export class GrpcCall {
  /** How the call ended, as far as it has; `NO_GRPC_STATUS` while nobody has said. */
  status: number = NO_GRPC_STATUS;
  /** On the gateway's clock: when it must be over. 0 without a deadline. */
  deadline = 0;
  /** True while the answer can still be given a status of its own, after its head. */
  open = false;
  /** Milliseconds that the client gives it; -1 when it says nothing. */
  private readonly timeout: number;

  constructor(head: HeadParser) {
    const timeout = fieldByName(head, 'grpc-timeout');
    this.timeout = timeout === undefined ? -1 : parseGrpcTimeout(timeout);
  }

  /** True when the client itself said how long it waits: it knows better than the service's default. */
  get timed(): boolean {
    return this.timeout >= 0;
  }

  /** Sets the deadline of a call that began at `begun`: the client's or the route's, whichever comes first. */
  limit(begun: number, routeTimeout: number): void {
    const { timeout } = this;
    if (timeout < 0 && routeTimeout === 0) return;
    const both = timeout >= 0 && routeTimeout !== 0;
    this.deadline = begun + (both ? Math.min(timeout, routeTimeout) : timeout < 0 ? routeTimeout : timeout);
  }

  /** Has the upstream told of this try: the time that is left of `now`, and how often it was tried before. */
  tell(request: { readonly requestEdits: HeaderEdits; readonly retries: number }, now: number): void {
    if (this.deadline !== 0) request.requestEdits.set('grpc-timeout', formatGrpcTimeout(this.deadline - now));
    if (request.retries > 0) request.requestEdits.set('grpc-previous-rpc-attempts', String(request.retries));
  }

  /** Takes the head of an answer. A body of known length is none of gRPC: nothing can be said after it. */
  onHead(parser: ResponseParser, length: number): void {
    const status = fieldByName(parser, 'grpc-status');
    this.status = status === undefined ? NO_GRPC_STATUS : parseGrpcStatus(status);
    this.open = length < 0 && parser.status === 200;
  }

  /** The failure that an answer tells by its head alone, before anything of it went to the client; else null. */
  get failure(): number | null {
    return this.status > GRPC_STATUS.ok && !this.open ? this.status : null;
  }

  /** Takes the end of an answer of this HTTP status; one that says nothing is what clients take it for. */
  onEnd(trailers: string, httpStatus: number): void {
    this.open = false;
    const status = grpcStatusIn(trailers);
    if (status !== NO_GRPC_STATUS) this.status = status;
    else if (this.status === NO_GRPC_STATUS) {
      this.status = httpStatus === 200 ? GRPC_STATUS.unknown : grpcStatusOfHttp(httpStatus);
    }
  }
}
