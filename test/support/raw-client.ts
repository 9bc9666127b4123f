/** A client on a raw socket: writes exactly the bytes it is given and reads answers with the strict reference reader. */
import { connect, type Socket } from 'node:net';
import { endOf, PATIENCE, Signal, turn } from './waiting.ts';
import { isFault, joinedValue, type WireField } from './wire-fields.ts';
import { bodySoFar, readResponse, readResponseHead, type WireResponse } from './wire-response.ts';

/** What a client saw of one exchange. */
export type Outcome =
  /** A complete answer; `interim` are the 1xx before it. */
  | { kind: 'answer'; interim: WireResponse[]; answer: WireResponse }
  /** The connection ended in the middle of an answer (`status` 0: in its head). */
  | { kind: 'cut'; interim: WireResponse[]; status: number; fields: WireField[]; body: Buffer; how: 'end' | 'reset' }
  /** The connection ended before a byte of an answer. */
  | { kind: 'closed'; interim: WireResponse[]; how: 'end' | 'reset' }
  /** The gateway sent something that is not HTTP. */
  | { kind: 'malformed'; interim: WireResponse[]; reason: string };

export class RawClient {
  readonly socket: Socket;
  /** All bytes received and not yet taken by `read`. */
  unread: Buffer = Buffer.alloc(0);
  /** How the other side ended, once it did. */
  ended: 'end' | 'reset' | null = null;
  private readonly signal = new Signal();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.unread = Buffer.concat([this.unread, bytes]);
      this.signal.notify();
    });
    socket.on('end', () => this.onEnd(endOf(socket)));
    socket.on('error', () => this.onEnd('reset'));
    socket.on('close', () => this.onEnd('reset'));
  }

  private onEnd(how: 'end' | 'reset'): void {
    this.ended ??= how;
    this.signal.notify();
  }

  /** Writes bytes; text is latin1. Pieces are written one event-loop turn apart. Stops quietly when the peer is gone. */
  async send(bytes: string | Buffer | readonly Buffer[]): Promise<void> {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1');
    else if (Buffer.isBuffer(bytes)) this.socket.write(bytes);
    else {
      for (const piece of bytes) {
        if (this.ended !== null || !this.socket.writable) return;
        this.socket.write(piece);
        await turn();
      }
    }
  }

  /** Ends only the writing side. */
  halfClose(): void {
    this.socket.end();
  }

  /** Goes away at once, with a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /** The next outcome, 1xx answers taken along. */
  async read(method = 'GET', patience = PATIENCE): Promise<Outcome> {
    const interim: WireResponse[] = [];
    const describe = (): string => `an answer; so far ${JSON.stringify(this.unread.toString('latin1', 0, 400))}`;
    for (;;) {
      const outcome = await this.signal.until(() => this.next(method, interim), describe, patience);
      if (outcome.kind !== 'answer' || outcome.answer.status >= 200 || outcome.answer.status === 101) return outcome;
      interim.push(outcome.answer);
    }
  }

  private next(method: string, interim: WireResponse[]): Outcome | undefined {
    const { unread, ended } = this;
    const reading = readResponse(unread, 0, method, ended === 'end');
    if (reading.kind === 'response') {
      this.unread = unread.subarray(reading.end);
      return { kind: 'answer', interim, answer: reading };
    }
    if (isFault(reading)) {
      // A broken-off chunk can look malformed only because the rest is missing; everything else is the sender's fault.
      return {
        kind: 'malformed',
        interim,
        reason: `${reading.reason} in ${JSON.stringify(unread.toString('latin1', 0, 400))}`,
      };
    }
    if (ended === null) return undefined;
    this.unread = Buffer.alloc(0);
    if (unread.length === 0) return { kind: 'closed', interim, how: ended };
    const head = readResponseHead(unread, 0);
    if (head === null || isFault(head)) {
      return { kind: 'cut', interim, status: 0, fields: [], body: unread, how: ended };
    }
    return {
      kind: 'cut',
      interim,
      status: head.status,
      fields: head.fields,
      body: bodySoFar(unread, head),
      how: ended,
    };
  }

  /** The next answer, which must be complete. */
  async answer(method = 'GET', patience = PATIENCE): Promise<WireResponse> {
    const outcome = await this.read(method, patience);
    if (outcome.kind === 'answer') return outcome.answer;
    throw new Error(`no complete answer but ${JSON.stringify(outcome).slice(0, 400)}`);
  }

  /** Resolves when the peer has closed, whatever is left unread. */
  untilEnded(patience = PATIENCE): Promise<'end' | 'reset'> {
    return this.signal.until(() => this.ended ?? undefined, 'the connection to be closed', patience);
  }

  /** Resolves when the peer has closed; fails when bytes are left that nobody read. */
  async untilClosed(patience = PATIENCE): Promise<'end' | 'reset'> {
    const how = await this.untilEnded(patience);
    if (this.unread.length > 0)
      throw new Error(`unread bytes: ${JSON.stringify(this.unread.toString('latin1', 0, 400))}`);
    return how;
  }

  /** Resolves when at least `count` unread bytes are there. */
  async untilBytes(count: number, patience = PATIENCE): Promise<Buffer> {
    return this.signal.until(() => this.unread.length >= count && this.unread, `${count} bytes`, patience);
  }
}

/** Connects to a port of 127.0.0.1 (or `host`). */
export async function rawClient(port: number, host = '127.0.0.1'): Promise<RawClient> {
  const socket = connect({ port, host, allowHalfOpen: true });
  const client = new RawClient(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return client;
}

/** One request on a connection of its own: sends, reads the answer, closes. */
export async function exchange(port: number, bytes: string | Buffer, method = 'GET'): Promise<WireResponse> {
  const client = await rawClient(port);
  try {
    await client.send(bytes);
    return await client.answer(method);
  } finally {
    client.close();
  }
}

export function headerOf(answer: { fields: WireField[] }, name: string): string | undefined {
  return joinedValue(answer.fields, name.toLowerCase());
}
