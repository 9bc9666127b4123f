/** The sending half of a stream of HTTP/2: what of an answer has left, and what waits for a window or for the socket. */
import { Timed } from '../base/timer-wheel.ts';
import { MAX_FRAME, MAX_WINDOW } from '../http/http2-frames.ts';
import { BLOCKED, type Http2OutputQueue, PUMPED, PUMPING, type Pumped } from './http2-output-queue.ts';
import type { Http2Sender } from './http2-sender.ts';

export abstract class Http2Answer extends Timed implements Pumped {
  readonly id: number;
  /** Nothing more is sent or received. */
  over = false;
  /** Our side has ended. */
  protected sent = false;
  protected readonly sender: Http2Sender;
  private readonly queue: Http2OutputQueue;
  private sendWindow: number;
  /** What the length of the answer leaves to send; below zero when it has none. */
  private answerLeft = -1;
  /** Octets that wait for room. */
  private pending: Buffer | null = null;
  /** What follows them: trailers, or `''`; null while more may come. */
  private ending: string | null = null;

  /** `window` is what it may send, in octets. */
  constructor(id: number, sender: Http2Sender, queue: Http2OutputQueue, window: number) {
    super();
    this.id = id;
    this.sender = sender;
    this.queue = queue;
    this.sendWindow = window;
  }

  /** Octets wait for the peer, from now on or still. */
  protected abstract onHeld(): void;
  /** Nothing waits any more, and more may come. */
  protected abstract onRoom(): void;
  /** All is said. */
  protected abstract onSent(): void;

  /** Begins an answer of `length` octets, or of any number when that is below zero. */
  protected sendHead(status: number, fields: string, length: number, isEmpty: boolean): void {
    this.sent = isEmpty;
    this.answerLeft = length < 0 ? -1 : length;
    this.sender.writeHeaders(this.id, status, fields, isEmpty);
  }

  /** Sends what there is room for, and keeps the rest; false when no more should come before there is room. */
  send(bytes: Buffer, start: number, end: number): boolean {
    const from = this.pending === null ? this.sendSome(bytes, start, end) : start;
    if (from < end) {
      // The bytes belong to a buffer that the next read of any upstream fills again.
      const rest = Buffer.from(bytes.subarray(from, end));
      this.pending = this.pending === null ? rest : Buffer.concat([this.pending, rest]);
      this.onHeld();
    } else if (!this.sender.congested) return true;
    this.queue.add(this);
    return false;
  }

  /** Answers up to where the octets were sent. */
  private sendSome(bytes: Buffer, start: number, end: number): number {
    const { sender } = this;
    while (start < end && !sender.congested) {
      const size = Math.min(end - start, MAX_FRAME, this.sendWindow, sender.window);
      if (size <= 0) break;
      this.sendWindow -= size;
      this.answerLeft -= size;
      if (this.answerLeft === 0) this.sent = true;
      sender.writeData(this.id, bytes, start, start + size, this.sent);
      start += size;
    }
    return start;
  }

  pump(): number {
    if (this.over) return PUMPED;
    const { pending } = this;
    if (pending !== null) {
      const from = this.sendSome(pending, 0, Math.min(MAX_FRAME, pending.length));
      if (from === 0) return BLOCKED;
      this.pending = from === pending.length ? null : pending.subarray(from);
      if (this.pending !== null) return PUMPING;
    }
    if (this.ending !== null) this.finishAnswer(this.ending);
    else if (this.sender.congested) return BLOCKED;
    else this.onRoom();
    return PUMPED;
  }

  /** The peer lets it send so many octets more, or fewer; false when a window cannot be so large. */
  widen(increment: number): boolean {
    this.sendWindow += increment;
    return this.sendWindow <= MAX_WINDOW;
  }

  /** Ends our side, when what waits was sent. */
  finish(trailers: string): void {
    if (this.pending !== null) this.ending = trailers;
    else this.finishAnswer(trailers);
  }

  private finishAnswer(trailers: string): void {
    if (!this.sent) {
      this.sent = true;
      if (trailers !== '' && this.answerLeft < 0) this.sender.writeHeaders(this.id, 0, trailers, true);
      else this.sender.writeEnd(this.id);
    }
    this.onSent();
  }

  /** What waits is not sent any more. */
  protected dropAnswer(): void {
    this.over = true;
    this.pending = null;
    this.queue.delete(this);
  }
}
