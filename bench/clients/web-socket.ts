/** A WebSocket on a raw socket that sends one message at a time and waits for it to come back: as little work as can be. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** Called with the socket once it is open, and again each time its message has come back whole. */
export type OnReady = (socket: WebSocketClient) => void;

export class WebSocketClient {
  readonly socket: Socket;
  /** When the message under way was sent, in milliseconds of performance.now(). */
  sent = 0;
  readonly #frame: Buffer;
  readonly #onReady: OnReady;
  #head = '';
  #isOpen = false;
  /** Bytes of the echo still to come. */
  #remaining = 0;

  /** `bytes` of a message: 125 at most. `onReady` is never called for one that is refused or ends; its socket closes. */
  constructor(port: number, bytes: number, onReady: OnReady) {
    this.#onReady = onReady;
    // Masked with zeros (RFC 6455 section 5.3 asks for a mask, not for a good one).
    this.#frame = Buffer.alloc(6 + bytes, 'x');
    this.#frame.set([0x82, 0x80 | bytes, 0, 0, 0, 0]);
    const key = randomBytes(16).toString('base64');
    const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`;
    this.socket = connect(port, '127.0.0.1', () =>
      this.socket.write(`GET /chat HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}\r\n\r\n`),
    );
    this.socket.setNoDelay(true);
    this.socket.on('data', (part: Buffer) => this.#onData(part));
    this.socket.on('error', () => {});
  }

  send(): void {
    this.sent = performance.now();
    this.#remaining = this.#frame.length - 4;
    this.socket.write(this.#frame);
  }

  #onData(part: Buffer): void {
    if (!this.#isOpen) return this.#onHead(part);
    this.#remaining -= part.length;
    if (this.#remaining === 0) this.#onReady(this);
    // More than was sent: no echo.
    else if (this.#remaining < 0) this.socket.destroy();
  }

  #onHead(part: Buffer): void {
    this.#head += part.toString('latin1');
    if (!this.#head.includes('\r\n\r\n')) return;
    if (!this.#head.startsWith('HTTP/1.1 101')) {
      this.socket.destroy();
      return;
    }
    this.#isOpen = true;
    this.#onReady(this);
  }
}
