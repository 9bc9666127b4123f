/** A connection that must begin with a PROXY header: who the client is comes before everything else. */
import type { Socket } from 'node:net';
import { Timed, type TimerWheel } from '../base/timer-wheel.ts';
import { addressOf, announcePeer } from './peer.ts';
import { PROXY_COMPLETE, PROXY_NEED_MORE, ProxyHeaderParser } from './proxy-header.ts';
import type { ClientLink } from './stream.ts';

export interface ProxyHeaderEvents {
  /**
   * The header is read. `socket` is paused, what came after the header is put back into it, and `peerOf` tells whom the
   * header named.
   */
  onAccepted(socket: Socket): void;
  /** The connection was reset, for a short reason that is for operators. */
  onRefused(remoteAddress: string, reason: string): void;
  /** It waits no more, whichever way. Told before the others. */
  onSettled(link: ClientLink): void;
}

/** How long a connection of a listener that closes may still be silent, in milliseconds. */
const LAST_HEADER = 250;

/** Reads the header within `timeout` milliseconds. `socket` is as it was accepted, and nothing was read from it. */
export function acceptProxyHeader(
  socket: Socket,
  wheel: TimerWheel,
  timeout: number,
  events: ProxyHeaderEvents,
): ClientLink {
  return new ProxiedSocket(socket, wheel, timeout, events);
}

class ProxiedSocket extends Timed implements ClientLink {
  private readonly socket: Socket;
  private readonly wheel: TimerWheel;
  private readonly events: ProxyHeaderEvents;
  /** Of the proxy: a connection that ends has none any more. */
  private readonly address: string;
  private readonly parser = new ProxyHeaderParser();
  private begun = false;
  private settled = false;
  private readonly onData = (chunk: Buffer): void => this.take(chunk);
  private readonly onEnd = (): void => this.leave();
  private readonly onClose = (): void => this.leave();

  constructor(socket: Socket, wheel: TimerWheel, timeout: number, events: ProxyHeaderEvents) {
    super();
    this.socket = socket;
    this.wheel = wheel;
    this.events = events;
    this.address = addressOf(socket);
    socket
      .on('data', this.onData)
      .on('end', this.onEnd)
      .on('error', () => socket.destroy())
      .on('close', this.onClose);
    socket.resume();
    wheel.scheduleIn(this, timeout);
  }

  private take(chunk: Buffer): void {
    const { parser, socket } = this;
    this.begun = true;
    const result = parser.execute(chunk);
    if (result === PROXY_NEED_MORE) return;
    if (result !== PROXY_COMPLETE) return this.refuse(parser.detail);
    this.settle();
    socket.pause();
    if (parser.consumed < chunk.length) socket.unshift(chunk.subarray(parser.consumed));
    if (parser.peer !== null) announcePeer(socket, parser.peer);
    this.events.onAccepted(socket);
  }

  /** Load balancers look whether somebody listens by connecting and leaving: that is no fault. */
  private leave(): void {
    if (this.settled) return;
    if (this.begun) return this.refuse('the connection ended within the PROXY header');
    this.settle();
    this.socket.destroy();
  }

  private refuse(reason: string): void {
    this.settle();
    this.socket.resetAndDestroy();
    this.events.onRefused(this.address, reason);
  }

  private settle(): void {
    this.settled = true;
    this.wheel.remove(this);
    // Of errors that come between here and the next who listens there is nothing to say.
    this.socket.off('data', this.onData).off('end', this.onEnd).off('close', this.onClose);
    this.events.onSettled(this);
  }

  onDeadline(): void {
    this.refuse('the PROXY header did not come in time');
  }

  close(): void {
    if (!this.begun && !this.settled) this.wheel.scheduleIn(this, LAST_HEADER);
  }

  destroy(): void {
    if (this.settled) return;
    this.settle();
    this.socket.destroy();
  }
}
