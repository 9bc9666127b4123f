/** A client of HTTP/2 that writes any frames it is told to, right or wrong, and keeps what comes back. */
import { connect, type Socket } from 'node:net';
import { CLIENT_PREFACE, FLAG, FRAME } from '../../src/http/http2-frames.ts';
import { PATIENCE, Signal } from './waiting.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** All whole frames in these bytes. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; bytes.length - at >= 9; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const payload = Buffer.from(bytes.subarray(at + 9, end));
    frames.push({ type: bytes[at + 3], flags: bytes[at + 4], stream: bytes.readUInt32BE(at + 5), payload });
    at = end;
  }
  return frames;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A length with a prefix of seven bits (RFC 7541 section 5.1). */
function prefixed(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** Fields as literals that enter no table; with `indexed` each enters the dynamic table (RFC 7541 section 6.2). */
export function fieldBlock(fields: readonly (readonly [string, string])[], indexed = false): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([indexed ? 0x40 : 0]),
      prefixed(name.length),
      Buffer.from(name, 'latin1'),
      prefixed(value.length),
      Buffer.from(value, 'latin1'),
    ]),
  );
}

/** What every request begins with. */
export function requestFields(path: string, method = 'GET'): [string, string][] {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'flood.test'],
  ];
}

/** A whole request without a body, in one frame; without `endStream` a body is to follow. */
export function requestFrame(stream: number, path: string, { method = 'GET', endStream = true } = {}): Buffer {
  const flags = FLAG.endHeaders | (endStream ? FLAG.endStream : 0);
  return frame(FRAME.headers, flags, stream, fieldBlock(requestFields(path, method)));
}

export function settingsFrame(settings: readonly (readonly [number, number])[]): Buffer {
  const entries = settings.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), uint32(value)]));
  return frame(FRAME.settings, 0, 0, Buffer.concat(entries));
}

export function resetFrame(stream: number, code: number): Buffer {
  return frame(FRAME.rstStream, 0, stream, uint32(code));
}

export function windowFrame(stream: number, increment: number): Buffer {
  return frame(FRAME.windowUpdate, 0, stream, uint32(increment));
}

export function pingFrame(ack = false): Buffer {
  return frame(FRAME.ping, ack ? FLAG.ack : 0, 0, Buffer.alloc(8, 7));
}

/** A stream that depends on another with some weight (RFC 7540 section 5.3, which RFC 9113 took back). */
export function priorityFrame(stream: number, parent: number, weight: number): Buffer {
  return frame(FRAME.priority, 0, stream, Buffer.concat([uint32(parent), Buffer.from([weight])]));
}

export class FrameClient {
  readonly socket: Socket;
  /** All frames received, but for DATA, of which only the sum is kept. */
  readonly frames: Frame[] = [];
  dataBytes = 0;
  /** The other side has ended the connection, or cut it. */
  ended = false;
  private unread: Buffer = Buffer.alloc(0);
  private readonly signal = new Signal();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.onData(bytes));
    socket.on('error', () => {});
    socket.on('end', () => this.onEnd());
    socket.on('close', () => this.onEnd());
  }

  private onEnd(): void {
    this.ended = true;
    this.signal.notify();
  }

  private onData(bytes: Buffer): void {
    this.unread = Buffer.concat([this.unread, bytes]);
    let size = 0;
    for (const each of framesOf(this.unread)) {
      const { length } = each.payload;
      size += 9 + length;
      if (each.type === FRAME.data) this.dataBytes += length;
      this.frames.push(each.type === FRAME.data ? { ...each, payload: Buffer.alloc(0) } : each);
    }
    this.unread = Buffer.from(this.unread.subarray(size));
    this.signal.notify();
  }

  /** Writes and waits until the kernel took it, or the connection ended. */
  send(...frames: readonly Buffer[]): Promise<void> {
    return new Promise((resolve) => {
      if (this.ended || this.socket.destroyed || !this.socket.writable) return resolve();
      const over = (): void => {
        this.socket.removeListener('close', over);
        resolve();
      };
      this.socket.once('close', over);
      this.socket.write(Buffer.concat(frames), over);
    });
  }

  /** The code of the GOAWAY that came, or undefined. */
  get goaway(): number | undefined {
    return this.frames
      .find(({ type, payload }) => type === FRAME.goaway && payload.readUInt32BE(4) !== 0)
      ?.payload.readUInt32BE(4);
  }

  /** Waits until `look` answers something about what came. */
  until<T>(look: () => T | undefined | false, what: string, patience = PATIENCE): Promise<T> {
    return this.signal.until(look, () => `${what}; came: ${JSON.stringify(this.summary)}`, patience);
  }

  /** How many frames of each type came. */
  get summary(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { type } of this.frames) counts[type] = (counts[type] ?? 0) + 1;
    return counts;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Connects with prior knowledge and says the preface with these settings; what the server then sends is in `frames`. */
export async function frameClient(
  port: number,
  settings: readonly (readonly [number, number])[] = [],
): Promise<FrameClient> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const client = new FrameClient(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  await client.send(CLIENT_PREFACE, settingsFrame(settings));
  await client.until(
    () => client.frames.some(({ type, flags }) => type === FRAME.settings && flags === 0),
    'the settings',
  );
  await client.send(frame(FRAME.settings, FLAG.ack, 0));
  return client;
}
