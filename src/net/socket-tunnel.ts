/** A socket that HTTP gave up, as a tunnel. The connection that it belonged to goes on reading it, and tells what happens. */
import type { Socket } from 'node:net';
import type { SocketWriter } from './socket-writer.ts';
import type { Tunnel, TunnelSink } from './stream.ts';

export class SocketTunnel implements Tunnel {
  private readonly socket: Socket;
  private readonly writer: SocketWriter;
  private sink: TunnelSink | null = null;
  /** What came before somebody takes it. */
  private early: Buffer | null;
  private peerEnded: boolean;

  /** `early`: bytes read already; `peerEnded`: nothing comes after them. */
  constructor(socket: Socket, writer: SocketWriter, early: Buffer | null, peerEnded: boolean) {
    this.socket = socket;
    this.writer = writer;
    this.early = early;
    this.peerEnded = peerEnded;
  }

  open(sink: TunnelSink): void {
    this.sink = sink;
    const { early } = this;
    this.early = null;
    if (early !== null) sink.onTunnelBytes(this, early, 0, early.length);
    if (this.peerEnded) sink.onTunnelEnd(this);
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.socket.destroyed || this.socket.writableEnded) return true;
    return this.writer.writeBytes(bytes, start, end);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  // Told by the connection.

  onRead(bytes: Buffer, start: number, end: number): void {
    if (this.sink !== null) this.sink.onTunnelBytes(this, bytes, start, end);
    else {
      const more = bytes.subarray(start, end);
      this.early = this.early === null ? Buffer.from(more) : Buffer.concat([this.early, more]);
    }
  }

  onDrain(): void {
    this.sink?.onTunnelDrain(this);
  }

  onEnd(): void {
    this.peerEnded = true;
    this.sink?.onTunnelEnd(this);
  }

  onClosed(): void {
    this.sink?.onTunnelClosed(this);
    this.sink = null;
  }
}
