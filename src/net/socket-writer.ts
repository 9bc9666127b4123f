/**
 * Writes text to a socket at the price of the system call. A `Writable` costs a request object, a callback and a turn of
 * the tick queue for each write, even when the kernel takes all of it at once, which it nearly always does.
 *
 * So the text goes to the socket's handle, as `Socket` itself would pass it on. What the kernel does not take waits in
 * libuv's own queue, in order with what the `Writable` writes. The handle's methods are no documented interface: each is
 * looked for before it is used, and where one is missing everything goes through the `Writable`.
 */
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/** What a write that is not over at once hangs on. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
}

interface Handle {
  writeLatin1String(request: WriteRequest, text: string): number;
}

/** What node:net itself uses of the runtime. */
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly kLastWriteWasAsync: number;
  readonly streamBaseState: Int32Array;
}

/** Bytes up to this size are written as text. */
const MOST_TEXT = 16 * 1024;

const binding = findBinding();

function findBinding(): StreamBinding | null {
  try {
    const found = (process as unknown as { binding(name: string): Partial<StreamBinding> }).binding('stream_wrap');
    const { WriteWrap, kLastWriteWasAsync, streamBaseState } = found;
    if (typeof WriteWrap !== 'function' || typeof kLastWriteWasAsync !== 'number') return null;
    if (streamBaseState === undefined || !(kLastWriteWasAsync in streamBaseState)) return null;
    return { WriteWrap, kLastWriteWasAsync, streamBaseState };
  } catch {
    return null;
  }
}

/** True where this runtime lets sockets be written to directly. */
export const DIRECT_WRITES: boolean = binding !== null;

/** Given to every write; used up only by those that are not over at once. */
let spare: WriteRequest | null = binding === null ? null : new binding.WriteWrap();

export class SocketWriter {
  private readonly socket: Socket;
  private readonly onDrain: () => void;
  private readonly direct: boolean;
  /** Direct writes that libuv has not finished. */
  private pending = 0;

  /** `onDrain` is told when a writer that said `false` has room again. `direct: false` uses the `Writable` only. */
  constructor(socket: Socket, onDrain: () => void, direct = true) {
    this.socket = socket;
    this.onDrain = onDrain;
    const handle = handleOf(socket);
    this.direct = direct && binding !== null && typeof handle?.writeLatin1String === 'function';
    socket.on('drain', () => {
      if (this.pending === 0) onDrain();
    });
  }

  /** True while the far side takes less than was written. */
  get congested(): boolean {
    return this.pending > 0 || this.socket.writableNeedDrain;
  }

  /**
   * Writes latin1 text after all that was written before. False when no more should come before `onDrain`. A socket that
   * cannot be written to is destroyed with the system's error.
   */
  write(text: string): boolean {
    const { socket } = this;
    const handle = this.direct ? handleOf(socket) : null;
    // Bytes that the Writable still holds go first.
    if (handle === null || binding === null || socket.writableLength > 0 || !socket.writable) {
      return socket.write(text, 'latin1') && this.pending === 0;
    }
    const error = handle.writeLatin1String(spare as WriteRequest, text);
    if (error !== 0) {
      socket.destroy(systemError(error));
      return false;
    }
    if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) return true;
    (spare as WriteRequest).oncomplete = (status) => this.onComplete(status);
    spare = new binding.WriteWrap();
    this.pending++;
    return false;
  }

  /** As `write`, for bytes that stay as they are only during the call. */
  writeBytes(bytes: Buffer, start: number, end: number): boolean {
    // As text they need no buffer of their own, unless the kernel does not take them.
    if (end - start <= MOST_TEXT) return this.write(bytes.toString('latin1', start, end));
    return this.socket.write(Buffer.from(bytes.subarray(start, end))) && this.pending === 0;
  }

  private onComplete(status: number): void {
    this.pending--;
    if (this.socket.destroyed) return;
    if (status < 0) this.socket.destroy(systemError(status));
    else if (!this.congested) this.onDrain();
  }
}

/** Null when the socket is closed. */
function handleOf(socket: Socket): Handle | null {
  return (socket as unknown as { _handle: Handle | null })._handle;
}

function systemError(status: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' });
}
