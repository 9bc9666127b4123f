/** A stream of HTTP/2 that carries another protocol (RFC 8441), as a tunnel. */
import { H2_ERROR } from '../http/http2-errors.ts';
import type { Tunnel, TunnelSink } from './stream.ts';

/** The stream, as its tunnel knows it. */
export interface TunnelStream {
  readonly over: boolean;
  /** False when no more should come before `onDrain`. */
  send(bytes: Buffer, start: number, end: number): boolean;
  /** Holds back what comes, until `goOn`. */
  holdBack(): void;
  goOn(): void;
  finish(trailers: string): void;
  reset(code: number): void;
}

export class Http2Tunnel implements Tunnel {
  private readonly stream: TunnelStream;
  private sink: TunnelSink | null = null;
  private ended = false;

  /** Of a stream that holds back what comes. */
  constructor(stream: TunnelStream) {
    this.stream = stream;
  }

  open(sink: TunnelSink): void {
    this.sink = sink;
    this.stream.goOn();
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    return this.ended || this.stream.over || start === end || this.stream.send(bytes, start, end);
  }

  pause(): void {
    this.stream.holdBack();
  }

  resume(): void {
    this.stream.goOn();
  }

  end(): void {
    if (this.ended || this.stream.over) return;
    this.ended = true;
    this.stream.finish('');
  }

  destroy(): void {
    this.stream.reset(H2_ERROR.cancel);
  }

  // Told by the stream.

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.sink?.onTunnelBytes(this, bytes, start, end);
  }

  onDrain(): void {
    this.sink?.onTunnelDrain(this);
  }

  onEnd(): void {
    this.sink?.onTunnelEnd(this);
  }

  onClosed(): void {
    const { sink } = this;
    this.sink = null;
    sink?.onTunnelClosed(this);
  }
}
