/**
 * One HTTP/2 connection of a client (RFC 9113): takes its frames, carries its streams, and ends it in peace or for what the
 * client does.
 *
 * It is longer than a room should be: each frame is judged by the state that all of them share.
 */
import type { Socket } from 'node:net';
import { Timed } from '../base/timer-wheel.ts';
import { BLOCK_COMPLETE, BLOCK_INVALID, HeaderBlock } from '../http/http2-block.ts';
import { H2_ERROR } from '../http/http2-errors.ts';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FrameReader,
  type FrameSink,
  MAX_FRAME,
  MAX_WINDOW,
  readUint31,
  readUint32,
  SETTING,
} from '../http/http2-frames.ts';
import { type ClientCertificate, clientCertificateOf } from './client-certificate.ts';
import type { ConnectionContext } from './client-connection.ts';
import { Http2Defences } from './http2-defences.ts';
import { Http2Heads } from './http2-heads.ts';
import { ENDED, Http2Ledger, RESET_BY_CLIENT, RESET_HERE, SKIPPED } from './http2-ledger.ts';
import { Http2OutputQueue } from './http2-output-queue.ts';
import { Http2Sender } from './http2-sender.ts';
import { Http2Stream, STREAM_WINDOW, type StreamOwner } from './http2-stream.ts';
import { ReceiveWindow } from './http2-window.ts';
import { addressOf } from './peer.ts';
import { readShared } from './shared-read.ts';
import type { ClientLink } from './stream.ts';

/** Octets of bodies that a client may send before it is told that there is room for more, on all streams together. */
const CONNECTION_WINDOW = 1024 * 1024;
/** CONTINUATION frames of one head: those that its limit makes room for, and a handful. */
const MOST_CONTINUATIONS = 8;
/** Settings in one frame; there are not so many kinds. */
const MOST_SETTINGS = 64;
/** Bytes that wait to be read after which no new streams are taken: heads are answers that no window holds back. */
const MOST_UNREAD = 1024 * 1024;
/** Bytes that wait to be read by a client beside the answers that wait for it: heads, and what it caused otherwise. */
const MOST_BACKLOG = 16 * 1024 * 1024;
/** How long a client has to learn that no new streams are taken before they are refused, in milliseconds. */
const LAST_REQUESTS = 250;
/** How long a connection waits for the client's end after its last frame has left, and for that to leave, in milliseconds. */
const LINGER = 500;
const STALL = 30_000;
/** Bytes that are read and thrown away meanwhile, so that a reset does not destroy what the client has yet to read. */
const DRAIN = 1024 * 1024;
/** How often a connection with streams is looked at in the time that one without is kept. */
const LOOKS = 4;
const MOST_SILENT_LOOKS = 8;

/** The client has not said its first SETTINGS. */
const OPENING = 0;
const OPEN = 1;
/** It was told that no new streams are taken; those on their way are. */
const DRAINING = 2;
/** New streams are ignored. */
const LEAVING = 3;
/** The last frame is written. */
const ENDING = 4;
const CLOSED = 5;

export class Http2Connection extends Timed implements ClientLink, StreamOwner, FrameSink {
  readonly context: ConnectionContext;
  readonly remoteAddress: string;
  readonly clientCertificate: ClientCertificate | null;
  readonly sender: Http2Sender;
  readonly queue: Http2OutputQueue = new Http2OutputQueue();
  initialWindow: number = DEFAULT_WINDOW;
  private readonly socket: Socket;
  private readonly reader = new FrameReader();
  private readonly heads = new Http2Heads();
  private readonly ledger = new Http2Ledger();
  private readonly defences: Http2Defences;
  private readonly streams = new Map<number, Http2Stream>();
  /** As it was told to the client. */
  private readonly mostStreams: number;
  private readonly memos: unknown[] = [];
  private phase = OPENING;
  /** The last stream that a final GOAWAY named; none to come may name a later one (RFC 9113 section 6.8). */
  private lastNamed = MAX_WINDOW;
  /** Settings of ours that the client has not acknowledged. */
  private unacknowledged = 1;
  private readonly window = new ReceiveWindow(CONNECTION_WINDOW);
  // DATA under way.
  private dataStream: Http2Stream | null = null;
  private dataFlags = 0;
  private dataLength = 0;
  /** What is left of its length; in the end, that is the padding. */
  private dataLeft = 0;
  private readonly block = new HeaderBlock();
  /** The window has grown, and who waits does not know yet. */
  private hasRoom = false;
  private wasHeard = false;
  private silentLooks = 0;
  private looksUnacknowledged = 0;
  /** How often it was looked at since it had a stream. */
  private restingLooks = 0;
  private drained = 0;

  constructor(socket: Socket, context: ConnectionContext) {
    super();
    const { limits, wheel, sharedReads } = context;
    this.context = context;
    this.remoteAddress = addressOf(socket);
    this.clientCertificate = clientCertificateOf(socket);
    this.defences = new Http2Defences(wheel.now());
    this.mostStreams = limits.streams;
    this.socket = readShared(socket, (bytes, start, end) => this.feed(bytes, start, end), sharedReads);
    this.socket.on('end', () => this.onEnd());
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => this.onClose());
    this.sender = new Http2Sender(this.socket, () => this.queue.pumpAll());
    this.sender.writeSettings([
      [SETTING.maxConcurrentStreams, limits.streams],
      [SETTING.initialWindowSize, STREAM_WINDOW],
      [SETTING.maxHeaderListSize, limits.requestHead],
      [SETTING.enableConnectProtocol, 1],
    ]);
    this.sender.writeWindow(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
    wheel.scheduleIn(this, limits.headTimeout);
  }

  // Frames.

  private feed(bytes: Buffer, start: number, end: number): void {
    this.wasHeard = true;
    if (this.phase >= ENDING) return this.discard(end - start);
    this.reader.execute(bytes, start, end, this);
    if (this.hasRoom) {
      this.hasRoom = false;
      this.queue.pumpAll();
    }
    if (this.sender.backlog > MOST_BACKLOG) this.fault(H2_ERROR.enhanceYourCalm, 'too much that is not read');
  }

  private discard(bytes: number): void {
    this.drained += bytes;
    if (this.drained > DRAIN) this.socket.destroy();
  }

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (this.block.isOpen !== (type === FRAME.continuation)) {
      return this.fault(H2_ERROR.protocol, 'a head that is not continued, or CONTINUATION of none');
    }
    if (type === FRAME.headers) this.onHeaders(flags, stream, bytes, start, end);
    else if (type === FRAME.windowUpdate) this.onWindow(stream, bytes, start, end);
    else if (type === FRAME.settings) this.onSettings(flags, stream, bytes, start, end);
    else if (type === FRAME.rstStream) this.onReset(stream, end - start);
    else if (type === FRAME.ping) this.onPing(flags, stream, bytes, start, end);
    else if (type === FRAME.continuation) this.onContinuation(flags, stream, bytes, start, end);
    else if (type === FRAME.priority) this.onPriority(stream, bytes, start, end);
    else if (type === FRAME.goaway) this.onGoaway(stream, end - start);
    else if (type === FRAME.pushPromise) this.fault(H2_ERROR.protocol, 'PUSH_PROMISE of a client');
  }

  onFrameFault(code: number, detail: string): void {
    this.fault(code, detail);
  }

  // Heads.

  private onHeaders(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if ((stream & 1) === 0) return this.fault(H2_ERROR.protocol, 'HEADERS on no stream of a client');
    const outcome = this.block.begin(flags, stream, bytes, start, end);
    if (outcome === BLOCK_INVALID) this.fault(H2_ERROR.protocol, 'the padding is longer than the frame');
    else if (outcome === BLOCK_COMPLETE) this.onBlock(stream);
  }

  private onContinuation(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    const { block, context } = this;
    if (stream !== block.stream) return this.fault(H2_ERROR.protocol, 'CONTINUATION of another stream');
    if (block.continuations > MOST_CONTINUATIONS + context.limits.requestHead / MAX_FRAME) {
      return this.fault(H2_ERROR.enhanceYourCalm, 'too many CONTINUATION frames');
    }
    if (block.go(flags, bytes, start, end) !== BLOCK_COMPLETE) return;
    this.onBlock(stream);
    block.forget();
  }

  /** A whole header block. It is always read, since it may change the table for those that follow. */
  private onBlock(id: number): void {
    const { block, ledger, heads } = this;
    const open = this.streams.get(id);
    if (open !== undefined) return this.onTrailers(open);
    if (id <= ledger.last || this.phase === LEAVING || this.isFull()) {
      if (!heads.skip(block.bytes, block.start, block.end)) return this.fault(H2_ERROR.compression, heads.detail);
      return id <= ledger.last ? this.onLateFrame(id, 'HEADERS') : this.turnAway(id);
    }
    ledger.open(id);
    const request = heads.read(block.bytes, block.start, block.end, this.context.limits.requestHead);
    if (request === null) return this.refuseHead(id);
    if (this.streams.size === 0 && this.phase === OPEN) this.lookLater();
    const stream = new Http2Stream(id, request, block.endStream, this, this.memos.pop() ?? null);
    this.streams.set(id, stream);
    if (block.isSelfDependent) this.onStreamFault(stream, H2_ERROR.protocol);
    else stream.begin();
  }

  private isFull(): boolean {
    return this.streams.size >= this.mostStreams || this.sender.backlog > MOST_UNREAD;
  }

  private refuseHead(id: number): void {
    const { heads } = this;
    if (heads.broken) return this.fault(H2_ERROR.compression, heads.detail);
    this.ledger.end(id, RESET_HERE);
    this.sender.writeReset(id, heads.excessive ? H2_ERROR.enhanceYourCalm : H2_ERROR.protocol);
    this.blame(this.defences.onFault(this.context.wheel.now()));
  }

  /** A stream that is one too many, or comes when none are taken any more. */
  private turnAway(id: number): void {
    this.ledger.open(id);
    this.ledger.end(id, RESET_HERE);
    // Of those beyond the last one that a GOAWAY names, the client knows (RFC 9113 section 6.8).
    if (this.phase === LEAVING) return;
    this.sender.writeReset(id, H2_ERROR.refusedStream);
    this.blame(this.defences.onTurnedAway(this.context.wheel.now()));
  }

  private onTrailers(stream: Http2Stream): void {
    const { heads, block } = this;
    const { bytes, start, end } = block;
    if (stream.received || !block.endStream) {
      if (!heads.skip(bytes, start, end)) return this.fault(H2_ERROR.compression, heads.detail);
      return this.onStreamFault(stream, stream.received ? H2_ERROR.streamClosed : H2_ERROR.protocol);
    }
    const trailers = heads.readTrailers(bytes, start, end);
    if (trailers !== null) return stream.onEnd(trailers);
    if (heads.broken) return this.fault(H2_ERROR.compression, heads.detail);
    if (heads.refusal === '' || stream.mustSwitch) return this.onStreamFault(stream, H2_ERROR.protocol);
    stream.received = true;
    stream.fault('bad_request', heads.refusal);
  }

  /** A frame for a stream of the past, of a kind that none may have (RFC 9113 section 5.1). */
  private onLateFrame(id: number, what: string): void {
    const end = this.ledger.find(id);
    if (end === SKIPPED) this.fault(H2_ERROR.protocol, `${what} on a stream whose number was passed over`);
    else if (end === ENDED) this.fault(H2_ERROR.streamClosed, `${what} on a stream that was ended`);
    else if (end === RESET_BY_CLIENT) {
      this.sender.writeReset(id, H2_ERROR.streamClosed);
      this.blame(this.defences.onFault(this.context.wheel.now()));
    }
  }

  // Bodies.

  onDataStart(id: number, flags: number, length: number): void {
    this.dataStream = null;
    this.dataFlags = flags;
    this.dataLength = this.dataLeft = length;
    const hasRoom = this.window.receive(length);
    if (this.block.isOpen) return this.fault(H2_ERROR.protocol, 'DATA within a head');
    if ((id & 1) === 0 || id > this.ledger.last)
      return this.fault(H2_ERROR.protocol, 'DATA on a stream that is not open');
    if (!hasRoom) return this.fault(H2_ERROR.flowControl, 'more DATA than the window has room for');
    const stream = this.streams.get(id);
    if (stream === undefined) this.onLateFrame(id, 'DATA');
    else if (stream.received) this.onStreamFault(stream, H2_ERROR.streamClosed);
    else if (!stream.onDataStart(length)) this.onStreamFault(stream, H2_ERROR.flowControl);
    else this.dataStream = stream;
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const { dataStream } = this;
    this.dataLeft -= end - start;
    if (dataStream === null || dataStream.over) this.credit(end - start);
    else dataStream.onData(bytes, start, end);
  }

  onDataEnd(): void {
    const { dataStream, dataLeft, dataLength } = this;
    const ends = (this.dataFlags & FLAG.endStream) !== 0;
    if (dataLeft === dataLength && !ends) this.blame(this.defences.onEmpty(this.context.wheel.now()));
    if (dataStream === null || dataStream.over) return this.credit(dataLeft);
    if (dataLeft > 0) dataStream.credit(dataLeft);
    if (ends) dataStream.onEnd('');
  }

  credit(octets: number): void {
    const increment = this.window.credit(octets);
    if (increment > 0 && this.phase < ENDING) this.sender.writeWindow(0, increment);
  }

  // Windows.

  private onWindow(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) return this.fault(H2_ERROR.frameSize, 'WINDOW_UPDATE has four octets');
    const increment = readUint31(bytes, start);
    if (id === 0) {
      if (increment === 0) return this.fault(H2_ERROR.protocol, 'a window that grows by nothing');
      if (!this.sender.widen(increment)) return this.fault(H2_ERROR.flowControl, 'a window that is too large');
      // Once for all of them that came together.
      this.hasRoom = true;
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) return this.expectKnown(id);
    if (increment === 0) return this.onStreamFault(stream, H2_ERROR.protocol);
    if (!stream.widen(increment)) return this.onStreamFault(stream, H2_ERROR.flowControl);
    this.queue.pump(stream);
  }

  /** Frames that may come late, for a stream that is over, are nothing; those for one that never was are a fault. */
  private expectKnown(id: number): void {
    if ((id & 1) === 0 || id > this.ledger.last) this.fault(H2_ERROR.protocol, 'a frame for a stream that is not open');
  }

  // Settings and the like.

  private onSettings(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (stream !== 0) return this.fault(H2_ERROR.protocol, 'SETTINGS of a stream');
    const size = end - start;
    if ((flags & FLAG.ack) !== 0) {
      if (size > 0) return this.fault(H2_ERROR.frameSize, 'an acknowledgement with settings');
      if (--this.unacknowledged < 0) this.fault(H2_ERROR.protocol, 'an acknowledgement of no settings');
      return;
    }
    if (size % 6 !== 0) return this.fault(H2_ERROR.frameSize, 'SETTINGS have six octets each');
    if (size > 6 * MOST_SETTINGS) return this.fault(H2_ERROR.enhanceYourCalm, 'too many settings');
    for (let at = start; at < end && this.phase < ENDING; at += 6) {
      this.onSetting((bytes[at] << 8) | bytes[at + 1], readUint32(bytes, at + 2));
    }
    if (this.phase >= ENDING) return;
    this.sender.writeSettingsAck();
    this.onControlFrame();
    if (this.phase !== OPENING) return;
    this.phase = OPEN;
    this.rest();
  }

  private onSetting(id: number, value: number): void {
    if (id === SETTING.headerTableSize) this.sender.encoder.resize(value);
    else if (id === SETTING.initialWindowSize) this.onInitialWindow(value);
    else if (id === SETTING.enablePush || id === SETTING.enableConnectProtocol) {
      if (value > 1) this.fault(H2_ERROR.protocol, 'a setting that is neither 0 nor 1');
    } else if (id === SETTING.maxFrameSize && (value < MAX_FRAME || value > 2 ** 24 - 1)) {
      this.fault(H2_ERROR.protocol, 'a size of frames that none may have');
    }
  }

  /** RFC 9113 section 6.9.2: what was sent already counts, so that windows may become less than nothing. */
  private onInitialWindow(value: number): void {
    if (value > MAX_WINDOW) return this.fault(H2_ERROR.flowControl, 'a window that is too large');
    const change = value - this.initialWindow;
    this.initialWindow = value;
    // Each of them is work on every stream, and a frame may have many.
    this.onControlFrame();
    for (const stream of this.streams.values()) {
      if (!stream.widen(change)) return this.fault(H2_ERROR.flowControl, 'a window that is too large');
    }
    this.hasRoom = true;
  }

  private onPing(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (stream !== 0) return this.fault(H2_ERROR.protocol, 'PING of a stream');
    if (end - start !== 8) return this.fault(H2_ERROR.frameSize, 'PING has eight octets');
    if ((flags & FLAG.ack) === 0) this.sender.writePing(bytes, start);
    this.onControlFrame();
  }

  private onControlFrame(): void {
    this.blame(this.defences.onControl(this.context.wheel.now(), this.sender.congested));
  }

  private onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) return this.fault(H2_ERROR.protocol, 'PRIORITY of no stream');
    const code = end - start === 5 ? H2_ERROR.protocol : H2_ERROR.frameSize;
    // Otherwise ignored (RFC 9113 section 5.3.2).
    if (code === H2_ERROR.protocol && readUint31(bytes, start) !== id) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.onStreamFault(stream, code);
    else this.fault(code, 'PRIORITY that is malformed');
  }

  private onReset(id: number, size: number): void {
    if (size !== 4) return this.fault(H2_ERROR.frameSize, 'RST_STREAM has four octets');
    const stream = this.streams.get(id);
    if (stream === undefined) this.expectKnown(id);
    else stream.onReset();
  }

  /** The client takes no streams of ours, of which there are none, and most likely leaves. */
  private onGoaway(stream: number, size: number): void {
    if (stream !== 0) return this.fault(H2_ERROR.protocol, 'GOAWAY of a stream');
    if (size < 8) this.fault(H2_ERROR.frameSize, 'GOAWAY has eight octets');
  }

  // Streams.

  onStreamFault(stream: Http2Stream, code: number): void {
    stream.reset(code);
    this.blame(this.defences.onFault(this.context.wheel.now()));
  }

  onStreamEnd(stream: Http2Stream, how: number, givenUp: boolean): void {
    this.streams.delete(stream.id);
    this.ledger.end(stream.id, how);
    // The head of a tunnel is asked for when both of its ends are over.
    if (stream.tunnel === null) {
      this.memos.push(stream.memo);
      this.heads.release(stream.request);
    }
    if (this.phase >= ENDING) return;
    if (givenUp) this.blame(this.defences.onGivenUp(this.context.wheel.now()));
    if (this.streams.size === 0) this.rest();
  }

  // Time.

  /** Nothing is asked for. */
  private rest(): void {
    this.restingLooks = 0;
    if (this.phase === LEAVING) this.finish();
    else if (this.phase === OPEN) this.lookLater();
  }

  private lookLater(): void {
    this.context.wheel.scheduleIn(this, this.context.limits.keepAlive / LOOKS);
  }

  onDeadline(): void {
    const { phase } = this;
    if (phase === ENDING) this.socket.destroy();
    else if (this.streams.size > 0) this.lookAtBusy();
    else if (phase !== OPEN || ++this.restingLooks >= LOOKS) this.leave();
    else {
      // What is only kept to be quick is not kept for those that rest.
      this.heads.forget();
      this.memos.length = 0;
      this.lookLater();
    }
  }

  private lookAtBusy(): void {
    if (this.phase === DRAINING) {
      this.phase = LEAVING;
      this.lastNamed = this.ledger.last;
      this.sender.writeGoaway(this.lastNamed, H2_ERROR.none);
    }
    this.look();
  }

  /** Who is not heard of for long is asked for a sign, and given up when there is none: the client may have vanished. */
  private look(): void {
    this.lookLater();
    if (this.wasHeard) {
      this.wasHeard = false;
      this.silentLooks = 0;
    } else if (++this.silentLooks <= MOST_SILENT_LOOKS) this.sender.writePing(null, 0);
    else return this.fault(H2_ERROR.none, 'nothing was heard of the client');
    // RFC 9113 section 6.5.3.
    if (this.unacknowledged > 0 && ++this.looksUnacknowledged > LOOKS) {
      this.fault(H2_ERROR.settingsTimeout, 'the settings are not acknowledged');
    }
  }

  // The end.

  /** Ends the connection for a flood, when there is one. */
  private blame(flood: string): void {
    if (flood !== '') this.fault(H2_ERROR.enhanceYourCalm, flood);
  }

  /** Ends the connection for what the client did (RFC 9113 section 5.4.1), and says so. */
  private fault(code: number, reason: string): void {
    if (this.phase >= ENDING) return;
    const { handler, listener } = this.context;
    const fault = code === H2_ERROR.enhanceYourCalm ? 'http2_flood' : 'http2_protocol';
    handler.onConnectionFault(listener, this.remoteAddress, fault, reason);
    this.sender.writeGoaway(Math.min(this.ledger.last, this.lastNamed), code);
    this.finish();
  }

  /** Ends the connection in peace. */
  private leave(): void {
    this.sender.writeGoaway(this.ledger.last, H2_ERROR.none);
    this.finish();
  }

  /** Nothing more is read or written: what is left of streams is given up, and the client's end is waited for. */
  private finish(): void {
    this.phase = ENDING;
    this.reader.stop();
    this.giveUpStreams();
    this.context.wheel.scheduleIn(this, STALL);
    this.socket.on('finish', () => this.context.wheel.scheduleIn(this, LINGER));
    this.sender.end();
  }

  private giveUpStreams(): void {
    for (const stream of [...this.streams.values()]) stream.close(RESET_BY_CLIENT, false);
  }

  /** Who ends its side has nothing more to ask, and takes no answers: streams cannot outlive it. */
  private onEnd(): void {
    if (this.phase < ENDING) this.finish();
    this.socket.destroySoon();
  }

  private onClose(): void {
    this.phase = CLOSED;
    this.reader.stop();
    this.giveUpStreams();
    this.context.wheel.remove(this);
    this.context.onClosed(this);
  }

  /** Tells the client that no new streams are taken; those that are on their way still are, for a moment (RFC 9113 section 6.8). */
  close(): void {
    if (this.phase >= DRAINING) return;
    this.phase = DRAINING;
    this.sender.writeGoaway(MAX_WINDOW, H2_ERROR.none);
    this.context.wheel.scheduleIn(this, LAST_REQUESTS);
  }

  destroy(): void {
    this.socket.destroy();
  }
}
