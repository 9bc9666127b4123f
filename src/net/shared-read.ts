/**
 * Reads an accepted socket into a buffer that all of them share, as `net.connect({ onread })` does for outgoing ones:
 * without it every read of a client costs an allocation of 64 KiB that is mostly thrown away.
 *
 * `net.Server` has no such option, so the socket is made anew around the handle that was accepted. Where a runtime does
 * not let that happen, the socket stays as it is and its `data` events are used.
 */
import { Socket } from 'node:net';

/** The parts of a socket that Node.js does not document, each checked before it is used. */
interface Internals {
  _handle: { readStop?: unknown; useUserBuffer?: unknown } | null;
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
  if (!shared || typeof handle?.useUserBuffer !== 'function' || old._server === undefined) {
    // One that another process accepted was made without this.
    socket.allowHalfOpen = true;
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
