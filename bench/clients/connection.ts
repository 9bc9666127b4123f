/** A kept-alive client connection on a raw socket with at most one request under way: as little work as can be. */
import { connect, type Socket } from 'node:net';

/** Called with the connection and whether its request was answered with 200; after false it is not to be used. */
export type Answered = (connection: Connection, ok: boolean) => void;

export class Connection {
  readonly socket: Socket;
  /** When the request under way was due, in milliseconds of performance.now(). */
  due = 0;
  busy = false;
  #head = '';
  /** Bytes of the body still to come; -1 while the head is read, -2 for a chunked body. */
  #remaining = -1;
  #ok = false;
  readonly #onAnswered: Answered;

  constructor(port: number, onAnswered: Answered, onOpen: (connection: Connection) => void) {
    this.#onAnswered = onAnswered;
    this.socket = connect(port, '127.0.0.1', () => onOpen(this));
    this.socket.setNoDelay(true);
    this.socket.on('data', (part: Buffer) => this.#onData(part));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      if (this.busy) this.#end(false);
    });
  }

  send(request: string, due: number): void {
    this.due = due;
    this.busy = true;
    this.#head = '';
    this.#remaining = -1;
    this.socket.write(request, 'latin1');
  }

  #end(ok: boolean): void {
    this.busy = false;
    this.#onAnswered(this, ok);
  }

  #onData(part: Buffer): void {
    if (!this.busy) return;
    if (this.#remaining >= 0) {
      this.#remaining -= part.length;
    } else {
      this.#head += part.toString('latin1');
      if (this.#remaining === -1) this.#readHead();
      if (this.#remaining === -2 && this.#head.endsWith('0\r\n\r\n')) this.#remaining = 0;
    }
    if (this.#remaining === 0) this.#end(this.#ok);
  }

  #readHead(): void {
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.#ok = this.#head.startsWith('HTTP/1.1 200');
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end));
    this.#remaining = length === null ? -2 : Number(length[1]) - (this.#head.length - end - 4);
  }
}
