/** Reads a pipe to its end without waiting for ever: a configuration may be one (`-c <(...)`), and nobody may write to it. */
import { close, constants, open } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { systemTimers, type TimerHandle, type Timers } from '../base/clock.ts';

/** Milliseconds without a byte after which nobody is taken to write: whoever makes a configuration may ask others for its secrets. */
export const PIPE_PATIENCE = 30_000;

/** What an error says by its `code` when nobody writes. */
export const SILENT_PIPE = 'SILENT_PIPE';

export interface PipeOptions {
  /** Bytes beyond which it rejects with `EFBIG`. */
  readonly most: number;
  readonly timers?: Timers;
  /** True where the process may end meanwhile; false by default. */
  readonly inBackground?: boolean;
}

/** All that comes until the last writer closes. Rejects with the system's error code, `EFBIG`, or `SILENT_PIPE`. */
export async function readPipe(
  path: string,
  { most, timers = systemTimers, inBackground = false }: PipeOptions,
): Promise<Buffer> {
  // An open that waits for a writer, and a read that waits for bytes, would each take a thread of the runtime's pool, which has four.
  const descriptor = await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let socket: Socket;
  try {
    socket = new Socket({ fd: descriptor, readable: true, writable: false });
  } catch (error) {
    // Something else stands there by now.
    close(descriptor, () => {});
    throw error;
  }
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    let timer: TimerHandle = null;
    const settle = (error: Error | null): void => {
      timers.clearTimeout(timer);
      socket.destroy();
      if (error === null) resolve(Buffer.concat(pieces));
      else reject(error);
    };
    const wait = (): void => {
      timers.clearTimeout(timer);
      timer = timers.setTimeout(() => settle(failure('nobody writes', SILENT_PIPE)), PIPE_PATIENCE);
    };
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      if (length > most) settle(failure('too large', 'EFBIG'));
      else wait();
    });
    socket.once('end', () => settle(null)).once('error', settle);
    if (inBackground) socket.unref();
    wait();
  });
}

function failure(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
