/**
 * Reads an accepted socket into a buffer that all of them share, as `net.connect({ onread })` does for outgoing ones:
 * without it every read of a client costs an allocation of 64 KiB that is mostly thrown away.
 *
 * `net.Server` has no such option, so the socket is made anew around the handle that was accepted. Where a runtime does
 * not let that happen, the socket stays as it is and its `data` events are used.
 */
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** The parts of a socket that Node.js does not document, each checked before it is used. */
interface Internals {
  _handle: { readStop?: unknown; useUserBuffer?: (buffer: Buffer) => void } | null;
  _server: object | null;
}

/** Takes the bytes `buffer[start, end)`, which are only valid during the call. */
export type OnRead = (buffer: Buffer, start: number, end: number) => void;

/** A callback is over before the next read begins. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * The socket to go on with. `socket` comes from a server with `pauseOnConnect` and `allowHalfOpen`; `onRead` is not called
 * before the next turn. Bytes that were put back into `socket` come first.
 */
export function readShared(socket: Socket, onRead: OnRead, shared = true): Socket {
  const old = socket as unknown as Internals;
  const handle = old._handle;
  const anew = shared && typeof handle?.useUserBuffer === 'function' && old._server !== undefined;
  if (!anew || (socket as Partial<TLSSocket>).encrypted === true) {
    // One that another process accepted was made without this.
    socket.allowHalfOpen = true;
    if (shared && readInPlace(socket, onRead)) return socket;
    socket.on('data', (chunk: Buffer) => onRead(chunk, 0, chunk.length));
    socket.resume();
    return socket;
  }
  const options = {
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: {
      buffer: readBuffer,
      callback: (size: number): boolean => {
        onRead(readBuffer, 0, size);
        return true;
      },
    },
  };
  const server = old._server;
  // The server counts its connections by this field; the old object must not give the handle or the count back.
  old._handle = null;
  old._server = null;
  const before = socket.readableLength > 0 ? (socket.read() as Buffer | null) : null;
  const taken = new Socket(options);
  (taken as unknown as Internals)._server = server;
  // Reads are of later phases of the loop.
  if (before !== null) process.nextTick(() => onRead(before, 0, before.length));
  return taken;
}

/** Where `net.connect({ onread })` keeps what it was given. */
const [BUFFER, CALLBACK, GENERATOR] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

/**
 * Gives a socket that is more than its handle, as one under TLS, what it would have been made with. False, with nothing
 * changed, where the runtime has no place for it.
 */
function readInPlace(socket: Socket, onRead: OnRead): boolean {
  const { _handle: handle } = socket as unknown as Internals;
  if (BUFFER === undefined || CALLBACK === undefined || GENERATOR === undefined) return false;
  if (typeof handle?.useUserBuffer !== 'function') return false;
  const before = socket.readableLength > 0 ? (socket.read() as Buffer | null) : null;
  const inner = socket as unknown as Record<symbol, unknown>;
  inner[BUFFER] = readBuffer;
  inner[GENERATOR] = null;
  inner[CALLBACK] = (size: number): boolean => {
    onRead(readBuffer, 0, size);
    return true;
  };
  handle.useUserBuffer(readBuffer);
  if (before !== null) process.nextTick(() => onRead(before, 0, before.length));
  socket.resume();
  return true;
}
