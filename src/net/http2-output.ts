/**
 * What an HTTP/2 connection writes: the frames of a turn of the event loop, of however many streams, go to the socket in one
 * write. The buffers are lent to connections that have something to write, and none is held by those that rest.
 */
import type { Socket } from 'node:net';
import { FRAME_HEAD, MAX_FRAME } from '../http/http2-frames.ts';

/** Bytes of a buffer: some frames of the largest size. */
const BUFFER = 4 * (MAX_FRAME + FRAME_HEAD);
/** Buffers that wait for whoever needs one next. */
const MOST_FREE = 16;
/** Bytes that the socket has not taken after which streams are to wait, and below which they go on. */
const HIGH = 128 * 1024;
const LOW = 32 * 1024;

const NOTHING = Buffer.alloc(0);
const free: Buffer[] = [];
/** Those that have something to write at the end of this turn. */
let waiting: Http2Output[] = [];

function flushAll(): void {
  const ready = waiting;
  waiting = [];
  for (let i = 0; i < ready.length; i++) ready[i].flush();
}

export class Http2Output {
  /** Frames that wait for the end of the turn: `bytes[0, length)`. Whoever writes one calls `reserve` before. */
  bytes: Buffer = NOTHING;
  length = 0;
  /** Changes when `bytes` are handed on: what stood in them can no longer be changed. */
  turn = 0;
  /** The socket takes less than is written. */
  congested = false;
  private readonly socket: Socket;
  private readonly onDrain: () => void;
  private readonly onWritten: (error?: Error | null) => void;
  /** Buffers whose bytes the socket has not taken yet, in order, and how many bytes those are. */
  private readonly lent: Buffer[] = [];
  private readonly sizes: number[] = [];
  private unsent = 0;
  private isWaiting = false;

  /** `onDrain` is told when it is no longer congested. */
  constructor(socket: Socket, onDrain: () => void) {
    this.socket = socket;
    this.onDrain = onDrain;
    this.onWritten = (error) => this.afterWrite(error);
  }

  /** Bytes that are written and that the socket has not taken. */
  get backlog(): number {
    return this.unsent + this.length;
  }

  /** Makes room for `size` bytes from `length` on. */
  reserve(size: number): void {
    if (this.length + size > this.bytes.length) this.renew(size);
    if (this.isWaiting) return;
    this.isWaiting = true;
    if (waiting.push(this) === 1) setImmediate(flushAll);
  }

  private renew(size: number): void {
    this.send();
    this.bytes = size > BUFFER ? Buffer.allocUnsafeSlow(size) : (free.pop() ?? Buffer.allocUnsafeSlow(BUFFER));
  }

  /** Writes what waits. */
  flush(): void {
    this.isWaiting = false;
    // What comes until the write under way is over can go in one.
    if (this.unsent === 0) this.send();
  }

  private send(): void {
    const { bytes, length, socket } = this;
    this.turn++;
    this.bytes = NOTHING;
    this.length = 0;
    if (length === 0 || socket.destroyed || socket.writableEnded) {
      this.giveBack(bytes);
      return;
    }
    this.lent.push(bytes);
    this.sizes.push(length);
    this.unsent += length;
    if (this.unsent > HIGH) this.congested = true;
    socket.write(length === bytes.length ? bytes : bytes.subarray(0, length), this.onWritten);
  }

  private giveBack(bytes: Buffer): void {
    if (bytes.length === BUFFER && free.length < MOST_FREE) free.push(bytes);
  }

  private afterWrite(error: Error | null | undefined): void {
    const bytes = this.lent.shift() ?? NOTHING;
    this.unsent -= this.sizes.shift() ?? 0;
    // The system may not be done with the memory of a write that failed.
    if (error) return;
    this.giveBack(bytes);
    if (this.unsent === 0 && this.length > 0) this.send();
    if (!this.congested || this.unsent > LOW) return;
    this.congested = false;
    this.onDrain();
  }

  /** Writes what waits, and ends the socket's side after it. */
  end(): void {
    this.send();
    this.socket.end();
  }
}
