/** One of the requests that stand in line on a pipelined connection. It has no body, and may be sent again. */
import type { ResponseSink } from './stream.ts';
import type { UpstreamRequest } from './upstream.ts';

/** Whoever gave a request up hears nothing of its answer, which is read all the same. */
export const NOBODY: ResponseSink = {
  onInformational: () => {},
  onResponseHead: () => {},
  onResponseBody: () => {},
  onResponseEnd: () => {},
  onUpstreamFailed: () => {},
  onUpstreamDrain: () => {},
  onReadEnd: () => {},
};

/** The connection, as far as one of its requests cares. */
export interface Line {
  join(request: PipelinedRequest): void;
  leave(request: PipelinedRequest): void;
  /** Whether the request is the one that is being answered. */
  answers(request: PipelinedRequest): boolean;
  pause(): void;
  resume(): void;
}

export class PipelinedRequest implements UpstreamRequest {
  sink: ResponseSink = NOBODY;
  method = '';
  /** What is to be sent; `''` when it was. */
  head = '';
  /** The one that is answered after this one. */
  next: PipelinedRequest | null = null;
  private readonly line: Line;

  constructor(line: Line) {
    this.line = line;
  }

  /** `length` is 0: no other request gets here (see `PoolWaiter.mayShare`). */
  send(sink: ResponseSink, method: string, head: string, _length: number): void {
    this.sink = sink;
    this.method = method;
    this.head = head;
    this.line.join(this);
  }

  get inTurn(): boolean {
    return this.line.answers(this);
  }

  sendBody(): boolean {
    return true;
  }

  endBody(): void {}

  pause(): void {
    if (this.line.answers(this)) this.line.pause();
  }

  resume(): void {
    if (this.line.answers(this)) this.line.resume();
  }

  abort(): void {
    this.line.leave(this);
  }
}
