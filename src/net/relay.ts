/** Relays bytes between two sockets until both have ended, with backpressure, half-closed sides and a bound on silence. */
import type { Socket } from 'node:net';
import { Timed, type TimerWheel } from '../base/timer-wheel.ts';

/** How a relay ended: both sides in good order, one of them abruptly, after too long a silence, or by `destroy`. */
export type RelayEnd = 'ended' | 'client-reset' | 'upstream-reset' | 'idle' | 'cut';

/** A number that grows with every byte. */
export interface Tally {
  value: number;
}

export interface RelayOptions {
  readonly wheel: TimerWheel;
  /** Longest time in which no byte moves in either direction, in milliseconds. */
  readonly idleTimeout: number;
  /** What the bytes from the client, and those from upstream, are added to as they come. */
  readonly tallyIn: Tally;
  readonly tallyOut: Tally;
  /** Both sockets are closed. Told once. */
  readonly onEnd: (reason: RelayEnd) => void;
}

export class Relay extends Timed {
  /** Bytes that came from the client, and that came from upstream. */
  bytesIn = 0;
  bytesOut = 0;
  private readonly client: Socket;
  private readonly upstream: Socket;
  private readonly options: RelayOptions;
  private reason: RelayEnd | null = null;
  private open = 2;

  /** Both sockets are connected, and keep their other half open when one ends. Nobody else listens to them. */
  constructor(client: Socket, upstream: Socket, options: RelayOptions) {
    super();
    this.client = client;
    this.upstream = upstream;
    this.options = options;
    client.on('data', (chunk: Buffer) => {
      this.bytesIn += chunk.length;
      options.tallyIn.value += chunk.length;
      this.pass(chunk, client, upstream);
    });
    upstream.on('data', (chunk: Buffer) => {
      this.bytesOut += chunk.length;
      options.tallyOut.value += chunk.length;
      this.pass(chunk, upstream, client);
    });
    this.join(client, upstream, 'client-reset');
    this.join(upstream, client, 'upstream-reset');
    this.touch();
  }

  private join(one: Socket, other: Socket, reset: RelayEnd): void {
    one.on('drain', () => {
      this.touch();
      other.resume();
    });
    one.on('end', () => {
      this.touch();
      other.end();
    });
    if (one.readableEnded) other.end();
    // `close` follows.
    one.on('error', () => {});
    one.on('close', () => this.onClose(one, other, reset));
    one.resume();
  }

  private pass(chunk: Buffer, from: Socket, to: Socket): void {
    this.touch();
    if (!to.write(chunk)) from.pause();
  }

  private touch(): void {
    this.options.wheel.scheduleIn(this, this.options.idleTimeout);
  }

  private onClose(one: Socket, other: Socket, reset: RelayEnd): void {
    this.open--;
    // What one side was not given or did not say must be missed on the other, too.
    if (!one.readableEnded || !one.writableFinished) {
      this.reason ??= reset;
      if (!other.destroyed) other.resetAndDestroy();
    }
    if (this.open > 0) return;
    this.options.wheel.remove(this);
    this.options.onEnd(this.reason ?? 'ended');
  }

  onDeadline(): void {
    this.cut('idle');
  }

  /** Cuts both sides, so that they can see it. */
  destroy(): void {
    this.cut('cut');
  }

  private cut(reason: RelayEnd): void {
    this.reason ??= reason;
    if (!this.client.destroyed) this.client.resetAndDestroy();
    if (!this.upstream.destroyed) this.upstream.resetAndDestroy();
  }
}
