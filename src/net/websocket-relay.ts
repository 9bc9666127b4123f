/**
 * One open WebSocket: passes the bytes of two tunnels to each other as they come, follows their frames, and closes both
 * sides properly when something ends it (RFC 6455 sections 5 and 7).
 */
import { randomBytes } from 'node:crypto';
import { Timed, type TimerWheel } from '../base/timer-wheel.ts';
import {
  ABNORMAL,
  closeFrame,
  FrameScanner,
  GOING_AWAY,
  INTERNAL_ERROR,
  MESSAGE_TOO_BIG,
} from '../http/websocket-frames.ts';
import type { Tunnel, TunnelSink } from './stream.ts';

/** Times in milliseconds, sizes in bytes. */
export interface RelayOptions {
  readonly idleTimeout: number;
  readonly maxMessage: number;
  /** The reserved bits that were agreed on, a constant of `websocket-frames.ts`. */
  readonly rsv: number;
}

/** How a WebSocket came to its end. */
export type RelayEnd =
  /** By a Close of either side. */
  | 'closed'
  | 'idle'
  | 'drain'
  /** A side broke the rules, or went away without a Close. */
  | 'client-fault'
  | 'upstream-fault'
  | 'client-too-big'
  | 'upstream-too-big'
  | 'client-gone'
  | 'upstream-gone';

export interface RelayOwner {
  /** Both tunnels are closed. Told once, never within the call of `start`. */
  onRelayEnded(relay: WebSocketRelay): void;
}

/** How long a side has to end after it was told to, in milliseconds. */
const CLOSE_TIME = 5000;

/** One end of the relay, as seen from the gateway. */
class Side {
  readonly tunnel: Tunnel;
  /** Follows what this side sends. */
  readonly scanner: FrameScanner;
  readonly masks: boolean;
  bytes = 0;
  /** It is not read, since the other side takes nothing. */
  paused = false;
  /** What it sends is not passed on any more. */
  cut = false;
  /** A Close was passed or sent to it: nothing may follow. */
  told = false;
  /** A Close to be sent to it as soon as the frame that it is being sent is whole. */
  closing: { readonly code: number; readonly reason: string } | null = null;
  /** Nothing more is sent to it. */
  finished = false;
  /** It sends no more. */
  ended = false;
  closed = false;

  constructor(tunnel: Tunnel, masks: boolean, options: RelayOptions) {
    this.tunnel = tunnel;
    this.masks = masks;
    this.scanner = new FrameScanner(masks, options.maxMessage, options.rsv);
  }
}

export class WebSocketRelay extends Timed implements TunnelSink {
  /** How it ended; null while nothing ends it. */
  end: RelayEnd | null = null;
  detail = '';
  /** The code of the first Close, of whoever sent it; `ABNORMAL` when there was none. */
  closeCode = ABNORMAL;
  private readonly client: Side;
  private readonly upstream: Side;
  private readonly idleTimeout: number;
  private readonly wheel: TimerWheel;
  private readonly owner: RelayOwner;
  /** The deadline is that of going away. */
  private leaving = false;

  constructor(client: Tunnel, upstream: Tunnel, options: RelayOptions, wheel: TimerWheel, owner: RelayOwner) {
    super();
    this.client = new Side(client, true, options);
    this.upstream = new Side(upstream, false, options);
    this.idleTimeout = options.idleTimeout;
    this.wheel = wheel;
    this.owner = owner;
  }

  /** Bytes received from the client, and from the upstream. */
  get bytesIn(): number {
    return this.client.bytes;
  }

  get bytesOut(): number {
    return this.upstream.bytes;
  }

  /** Begins to relay; what was sent too early is relayed during the call. */
  start(): void {
    this.wheel.scheduleIn(this, this.idleTimeout);
    this.client.tunnel.open(this);
    this.upstream.tunnel.open(this);
  }

  /** Closes both sides as going away (1001), in so many milliseconds from now. */
  goAwayIn(milliseconds: number): void {
    if (this.end !== null) return;
    this.leaving = true;
    this.wheel.scheduleIn(this, milliseconds);
  }

  /** Ends both sides at once. */
  destroy(): void {
    this.end ??= 'drain';
    this.client.tunnel.destroy();
    this.upstream.tunnel.destroy();
  }

  private sideOf(tunnel: Tunnel): Side {
    return tunnel === this.client.tunnel ? this.client : this.upstream;
  }

  private other(side: Side): Side {
    return side === this.client ? this.upstream : this.client;
  }

  // What comes.

  onTunnelBytes(tunnel: Tunnel, bytes: Buffer, start: number, end: number): void {
    const from = this.sideOf(tunnel);
    from.bytes += end - start;
    if (this.end === null && !this.leaving) this.wheel.scheduleIn(this, this.idleTimeout);
    const { scanner } = from;
    if (scanner.closed || scanner.fault !== 0) return;
    const to = this.other(from);
    if (to.closing !== null) {
      // Only what is left of the frame under way still goes to a side that is to be sent a Close.
      const stop = scanner.finishFrame(bytes, start, end);
      this.pass(from, to, bytes, start, stop);
      // The frame may have been a Close itself.
      if (scanner.closed) this.onTold(to);
      else if (scanner.atBoundary) this.sendClose(to);
      start = stop;
    }
    const stop = scanner.scan(bytes, start, end);
    if (!from.cut) {
      if (scanner.prefix !== null) this.pass(from, to, scanner.prefix, 0, scanner.prefix.length);
      this.pass(from, to, bytes, start, stop);
    }
    if (scanner.closed) this.onClose(from, to);
    else if (scanner.fault !== 0) this.onFault(from, to);
  }

  private pass(from: Side, to: Side, bytes: Buffer, start: number, end: number): void {
    if (start === end || to.finished || to.closed) return;
    if (to.tunnel.write(bytes, start, end) || from.paused) return;
    from.paused = true;
    from.tunnel.pause();
  }

  onTunnelDrain(tunnel: Tunnel): void {
    this.resume(this.other(this.sideOf(tunnel)));
  }

  private resume(side: Side): void {
    if (!side.paused) return;
    side.paused = false;
    side.tunnel.resume();
  }

  /** A whole Close has come from a side. */
  private onClose(from: Side, to: Side): void {
    this.finish('closed', from.scanner.closeCode, '');
    if (!from.cut) to.told = true;
    from.cut = true;
    // Both were given a Close: the server ends the connection (RFC 6455 section 7.1.1), which to the client is the gateway.
    if (this.end !== 'closed') this.endSide(from);
    else if (to.scanner.closed) this.endSide(this.client);
  }

  private onFault(from: Side, to: Side): void {
    const { fault, detail } = from.scanner;
    const tooBig = fault === MESSAGE_TOO_BIG;
    const who = from === this.client ? 'client' : 'upstream';
    if (this.end !== null) {
      this.endSide(from);
      if (this.end === 'closed') this.endSide(to);
      return;
    }
    this.finish(`${who}-${tooBig ? 'too-big' : 'fault'}`, fault, detail);
    this.tell(from, fault, detail);
    // Who did nothing wrong learns that the other one goes, or that the server is broken; too big it is for both.
    this.tell(to, tooBig ? fault : from === this.client ? GOING_AWAY : INTERNAL_ERROR, 'the peer broke the protocol');
    this.endSide(from);
  }

  // Closing.

  /** What ends the socket is known: the first cause counts. */
  private finish(end: RelayEnd, code: number, detail: string): void {
    if (this.end !== null) return;
    this.end = end;
    this.closeCode = code;
    this.detail = detail;
    this.wheel.scheduleIn(this, CLOSE_TIME);
    this.resume(this.client);
    this.resume(this.upstream);
  }

  /** Sends a Close to a side, now or at the end of the frame that it is being sent. */
  private tell(side: Side, code: number, reason: string): void {
    const source = this.other(side);
    source.cut = true;
    if (side.told || side.closing !== null || side.finished || side.closed) return;
    side.closing = { code, reason };
    if (source.scanner.atBoundary) this.sendClose(side);
  }

  private sendClose(side: Side): void {
    const { closing } = side;
    if (closing === null) return;
    const frame = closeFrame(closing.code, closing.reason, side.masks ? null : randomBytes(4));
    side.tunnel.write(frame, 0, frame.length);
    this.onTold(side);
  }

  /** The Close that was owed to a side is written. */
  private onTold(side: Side): void {
    side.closing = null;
    side.told = true;
    // One that has said its last needs no more.
    if (side.scanner.closed || side.scanner.fault !== 0 || side.ended) this.endSide(side);
  }

  private endSide(side: Side): void {
    // What is still owed to it would be lost: the Close, when its frame is whole.
    if (side.closing !== null || side.finished) return;
    side.finished = true;
    side.tunnel.end();
  }

  onDeadline(): void {
    if (this.end !== null) return this.destroy();
    const idle = !this.leaving;
    this.finish(idle ? 'idle' : 'drain', GOING_AWAY, idle ? 'nothing was sent for too long' : '');
    // The time of a shutdown bounds it.
    if (!idle) this.wheel.cancel(this);
    const reason = idle ? 'idle for too long' : 'the gateway is going away';
    this.tell(this.client, GOING_AWAY, reason);
    this.tell(this.upstream, GOING_AWAY, reason);
  }

  // Ends.

  onTunnelEnd(tunnel: Tunnel): void {
    const from = this.sideOf(tunnel);
    const to = this.other(from);
    from.ended = true;
    if (this.end === null) {
      if (from === this.client) this.finish('client-gone', ABNORMAL, 'the client went away without a Close');
      else this.onUpstreamGone();
    }
    if (this.end === 'drain') this.wheel.scheduleIn(this, CLOSE_TIME);
    // A frame that is not whole will never be.
    if (to.closing !== null && !from.scanner.atBoundary) to.tunnel.destroy();
    from.cut = true;
    this.endSide(from);
    this.endSide(to);
  }

  /** Not 1014, "bad gateway", which browsers do not let pass: Chromium takes it for a broken Close. */
  private onUpstreamGone(): void {
    this.finish('upstream-gone', INTERNAL_ERROR, 'the upstream went away without a Close');
    this.tell(this.client, INTERNAL_ERROR, 'the upstream went away');
  }

  onTunnelClosed(tunnel: Tunnel): void {
    const side = this.sideOf(tunnel);
    if (!side.ended) this.onTunnelEnd(tunnel);
    side.closed = true;
    side.closing = null;
    if (!this.client.closed || !this.upstream.closed) return;
    this.wheel.remove(this);
    this.owner.onRelayEnded(this);
  }
}
