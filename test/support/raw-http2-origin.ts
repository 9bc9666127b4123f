/** An HTTP/2 origin that writes frames as a script gives them, right or wrong (RFC 9113 section 4). */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { CLIENT_PREFACE, FLAG, FRAME } from '../../src/http/http2-frames.ts';
import { frame as encode, type Frame, fieldBlock } from './http2-frames.ts';
import { Signal } from './waiting.ts';

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  return encode(type, flags, stream, typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload);
}

/** Fields as HPACK literals that are not kept (RFC 7541 section 6.2.2). */
export function block(...fields: readonly (readonly [string, string])[]): Buffer {
  return fieldBlock(fields);
}

export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, index * 4);
  });
  return bytes;
}

export interface RawHttp2Script {
  /** The fields of a request have come. */
  onRequest(stream: number, connection: RawHttp2Connection): void;
  /** Sent at once; by default empty settings. */
  readonly first?: Buffer;
  /** False: settings and pings are not acknowledged. */
  readonly acknowledges?: boolean;
}

export class RawHttp2Connection {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  closed = false;
  private readonly origin: RawHttp2Origin;
  private pending = Buffer.alloc(0);
  private begun = false;

  constructor(socket: Socket, origin: RawHttp2Origin) {
    this.socket = socket;
    this.origin = origin;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      origin.signal.notify();
    });
    socket.on('data', (bytes: Buffer) => this.onBytes(bytes));
    socket.write(origin.script.first ?? frame(FRAME.settings, 0, 0));
  }

  write(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  private onBytes(bytes: Buffer): void {
    this.pending = Buffer.concat([this.pending, bytes]);
    if (!this.begun) {
      if (this.pending.length < CLIENT_PREFACE.length) return;
      this.pending = this.pending.subarray(CLIENT_PREFACE.length);
      this.begun = true;
    }
    while (this.takeFrame()) {}
    this.origin.signal.notify();
  }

  private takeFrame(): boolean {
    const { pending } = this;
    if (pending.length < 9) return false;
    const end = 9 + pending.readUIntBE(0, 3);
    if (pending.length < end) return false;
    const stream = pending.readUInt32BE(5);
    const taken = { type: pending[3], flags: pending[4], stream, payload: Buffer.from(pending.subarray(9, end)) };
    this.pending = pending.subarray(end);
    this.frames.push(taken);
    const { acknowledges = true } = this.origin.script;
    if (acknowledges && (taken.flags & FLAG.ack) === 0) {
      if (taken.type === FRAME.settings) this.write(frame(FRAME.settings, FLAG.ack, 0));
      if (taken.type === FRAME.ping) this.write(frame(FRAME.ping, FLAG.ack, 0, taken.payload));
    }
    if (taken.type === FRAME.headers) this.origin.script.onRequest(stream, this);
    return true;
  }
}

export class RawHttp2Origin {
  readonly signal = new Signal();
  readonly connections: RawHttp2Connection[] = [];
  readonly script: RawHttp2Script;
  readonly server: Server = createServer({ noDelay: true }, (socket) => {
    this.connections.push(new RawHttp2Connection(socket, this));
    this.signal.notify();
  });

  constructor(script: RawHttp2Script) {
    this.script = script;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  until<T>(look: () => T | undefined | false, what: string): Promise<T> {
    return this.signal.until(look, what);
  }

  close(): void {
    for (const { socket } of this.connections) socket.destroy();
    this.server.close();
  }
}

export async function startRawHttp2Origin(script: RawHttp2Script): Promise<RawHttp2Origin> {
  const origin = new RawHttp2Origin(script);
  await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve));
  return origin;
}
