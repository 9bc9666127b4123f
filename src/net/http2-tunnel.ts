/** A stream of HTTP/2 that carries another protocol (RFC 8441), as a tunnel. */
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Tunnel, TunnelSink } from './stream.ts';

export class Http2Tunnel implements Tunnel {
  private readonly stream: ServerHttp2Stream;
  private sink: TunnelSink | null = null;

  /** Of a stream that nobody reads yet. */
  constructor(stream: ServerHttp2Stream) {
    this.stream = stream;
  }

  open(sink: TunnelSink): void {
    this.sink = sink;
    const { stream } = this;
    stream.on('data', (chunk: Buffer) => sink.onTunnelBytes(this, chunk, 0, chunk.length));
    stream.on('end', () => sink.onTunnelEnd(this));
    stream.on('drain', () => sink.onTunnelDrain(this));
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (!this.stream.writable) return true;
    return this.stream.write(Buffer.from(bytes.subarray(start, end)));
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  end(): void {
    this.stream.end();
  }

  destroy(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Told by the stream's owner. */
  onClosed(): void {
    this.sink?.onTunnelClosed(this);
    this.sink = null;
  }
}
