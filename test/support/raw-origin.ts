/** An origin on a raw socket: keeps what it receives byte for byte, and answers with the bytes that a script gives. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { endOf, PATIENCE, Signal, turn } from './waiting.ts';
import { isFault } from './wire-fields.ts';
import { readRequest, readRequestHead, type WireRequest, type WireRequestHead } from './wire-request.ts';

export interface OriginScript {
  /** A head has come; the body may not have. */
  onHead?: (head: WireRequestHead, connection: OriginConnection) => void;
  /** A complete request has come. Without it the origin answers 200 by `okAnswer`. */
  onRequest?: (request: WireRequest, connection: OriginConnection) => void;
  onConnection?: (connection: OriginConnection) => void;
}

/** 200 with the request line in `X-Request-Line`, so that a client can tell which request an answer belongs to. */
export function okAnswer(request: { method: string; target: string }, body = 'ok'): string {
  const length = body.length;
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nX-Request-Line: ${request.method} ${request.target}\r\n\r\n`;
  return request.method === 'HEAD' ? head : head + body;
}

export class OriginConnection {
  readonly id: number;
  readonly socket: Socket;
  readonly requests: WireRequest[] = [];
  /** Every byte received. */
  received: Buffer = Buffer.alloc(0);
  /** Why the gateway's bytes are not a request; null while they are. */
  fault: string | null = null;
  /** How the gateway ended the connection. */
  ended: 'end' | 'reset' | null = null;
  private readonly origin: Origin;
  private parsed = 0;
  private headSeen = false;

  constructor(id: number, socket: Socket, origin: Origin) {
    this.id = id;
    this.socket = socket;
    this.origin = origin;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.onBytes(bytes));
    socket.on('end', () => this.onEnd(endOf(socket)));
    socket.on('error', () => this.onEnd('reset'));
    socket.on('close', () => this.onEnd('reset'));
  }

  /** Bytes of a request begun and not complete. */
  get pending(): Buffer {
    return this.received.subarray(this.parsed);
  }

  write(bytes: string | Buffer): void {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1');
    else this.socket.write(bytes);
  }

  /** Writes the pieces one event-loop turn apart; stops quietly when the gateway is gone. */
  async writePieces(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (!this.socket.writable) return;
      this.socket.write(piece);
      await turn();
    }
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  private onEnd(how: 'end' | 'reset'): void {
    if (this.ended !== null) return;
    this.ended = how;
    if (how === 'end') this.socket.end();
    else this.socket.destroy();
    this.origin.signal.notify();
  }

  private onBytes(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    this.origin.bytesReceived += bytes.length;
    while (this.fault === null && this.parsed < this.received.length && this.takeOne()) {}
    this.origin.signal.notify();
  }

  private takeOne(): boolean {
    const { script } = this.origin;
    if (!this.headSeen) {
      const head = readRequestHead(this.received, this.parsed);
      if (isFault(head)) this.onFault(head.reason);
      if (head === null || isFault(head)) return false;
      this.headSeen = true;
      script.onHead?.(head, this);
    }
    const reading = readRequest(this.received, this.parsed);
    if (isFault(reading)) this.onFault(reading.reason);
    if (reading.kind !== 'request') return false;
    this.parsed = reading.end;
    this.headSeen = false;
    this.requests.push(reading);
    this.origin.requests.push(reading);
    if (script.onRequest === undefined) this.write(okAnswer(reading));
    else script.onRequest(reading, this);
    return true;
  }

  private onFault(reason: string): void {
    this.fault = reason;
    this.origin.faults.push(`${reason} in ${JSON.stringify(this.pending.toString('latin1', 0, 400))}`);
  }
}

export class Origin {
  readonly signal = new Signal();
  readonly connections: OriginConnection[] = [];
  /** All complete requests, in the order of their last byte. */
  readonly requests: WireRequest[] = [];
  /** What the gateway sent that the reference reading calls malformed. */
  readonly faults: string[] = [];
  bytesReceived = 0;
  /** Connections accepted since the start. */
  accepted = 0;
  port = 0;
  script: OriginScript;
  readonly server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = new OriginConnection(this.accepted++, socket, this);
    this.connections.push(connection);
    this.script.onConnection?.(connection);
    this.signal.notify();
  });

  constructor(script: OriginScript) {
    this.script = script;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get open(): OriginConnection[] {
    return this.connections.filter((connection) => connection.ended === null);
  }

  until<T>(look: () => T | undefined | false, what: string, patience = PATIENCE): Promise<T> {
    return this.signal.until(look, what, patience);
  }

  /** The request with this index, once it is complete. */
  request(index: number): Promise<WireRequest> {
    return this.until(() => this.requests[index], `request ${index} at the origin`);
  }

  /** Forgets what was recorded, and the connections that have ended. */
  forget(): void {
    this.connections.splice(0, this.connections.length, ...this.open);
    this.requests.length = 0;
    this.faults.length = 0;
    this.bytesReceived = 0;
  }

  /** Closes every connection, and waits until they are. */
  async dropConnections(): Promise<void> {
    for (const connection of this.open) connection.socket.destroy();
    await this.until(() => this.open.length === 0, 'the connections to be closed');
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.socket.destroy();
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** Listens on a free port of 127.0.0.1 (or the one given: for an origin that comes back). */
export async function startOrigin(script: OriginScript = {}, port = 0): Promise<Origin> {
  const origin = new Origin(script);
  await new Promise<void>((resolve, reject) => {
    origin.server.once('error', reject);
    origin.server.listen(port, '127.0.0.1', resolve);
  });
  origin.port = (origin.server.address() as AddressInfo).port;
  return origin;
}
