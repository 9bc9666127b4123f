/**
 * One HTTP/1.1 connection to an endpoint that carries several requests, sent before those ahead of them are answered (RFC
 * 9112 section 9.3.2). What is asked within one turn of the event loop goes out in one write, and one read brings many answers.
 *
 * An answer that keeps the others waiting must not be their loss: those behind it are then moved to other connections.
 */
import { type Line, NOBODY, PipelinedRequest } from './pipelined-request.ts';
import type { UpstreamFailure } from './stream.ts';
import { BODY, CLOSED, IDLE, UpstreamConnection, type UpstreamOwner } from './upstream-connection.ts';

export interface PipelineOwner extends UpstreamOwner {
  /** Most requests in flight on one connection, as things are. */
  readonly depth: number;
  readonly now: () => number;
  /** An answer is complete at `now` that came after another: `took` milliseconds after its turn. */
  onTurnTaken(took: number, now: number): void;
  /** The line has stood still for longer than those behind should wait. */
  onStandstill(now: number): void;
  /** Requests are in flight, and another one fits. */
  onRoom(connection: PipelinedConnection): void;
}

/** How long others wait behind an answer that has begun, or that nobody waits for any more, in milliseconds. */
const PATIENCE = 200;

/** What is read in vain of one answer at most, in bytes, rather than to lose the connection and ask again for what is behind it. */
const MOST_WASTED = 64 * 1024;

/** A connection that was silent for so long may be held up by a slow answer, in milliseconds. */
export const SILENCE = 10;

/**
 * For those whose request was not read, or whose answer would come too late; they may be sent twice. Not `stale`: what
 * became of this connection is no reason to doubt those that rest.
 */
const MOVED: UpstreamFailure = {
  code: 'upstream_reset',
  detail: 'the connection was given up before this request had its turn',
  stale: false,
  unprocessed: true,
};

export class PipelinedConnection extends UpstreamConnection implements Line {
  /** The pool's note: it stands among those with room. */
  listed = false;
  private readonly pipeline: PipelineOwner;
  /** The line: the first is being answered. */
  private first: PipelinedRequest | null = null;
  private last: PipelinedRequest | null = null;
  private unsent: PipelinedRequest | null = null;
  private length = 0;
  private flushing = false;
  /** It has served, and stayed open: only then are requests put behind others (RFC 9112 section 9.3.2). */
  private proven = false;
  /** It ends with the answer that is under way. */
  private leaving = false;
  /** It takes no more requests. */
  private retired = false;
  /** What others wait behind, when that is watched. */
  private watched: PipelinedRequest | null = null;
  /** When the last bytes came, or the first request of the line did. */
  private heardAt = 0;
  /** `heardAt` when the turn of the first one came, that had been sent before; -1 for one that was sent in its turn. */
  private turnAt = -1;
  /** When it was found silent for long; 0 when it was not. */
  private doubtedAt = 0;

  constructor(owner: PipelineOwner) {
    super(owner);
    this.pipeline = owner;
  }

  /** Requests in flight, those not sent yet included. */
  get inFlight(): number {
    return this.length;
  }

  /** Whether a request may be put behind those in flight. */
  get hasRoom(): boolean {
    return (
      this.length > 0 &&
      this.length < this.pipeline.depth &&
      this.proven &&
      !this.leaving &&
      !this.retired &&
      this.reusable &&
      this.phase !== BODY &&
      this.phase !== CLOSED &&
      !this.socket.destroyed &&
      !this.writer.congested
    );
  }

  /**
   * Whether the answer under way seems to be a slow one. Found silent once, it is doubted only: a process that was busy
   * itself has not read yet what came.
   */
  isSilent(now: number): boolean {
    if (now - this.heardAt <= SILENCE) return false;
    if (this.doubtedAt === 0) this.doubtedAt = now;
    return now - this.doubtedAt > SILENCE;
  }

  /** A place in the line, to be used at once. */
  take(): PipelinedRequest {
    return new PipelinedRequest(this);
  }

  /** It ends when the requests in flight are answered: the pool sees to that. */
  retire(): void {
    this.retired = true;
  }

  // Of the requests.

  join(request: PipelinedRequest): void {
    if (this.last === null) {
      this.owner.wheel.cancel(this);
      this.heard();
      this.first = request;
    } else this.last.next = request;
    this.last = request;
    this.unsent ??= request;
    this.length++;
    if (this.flushing) return;
    this.flushing = true;
    // After all that this turn's reads bring.
    setImmediate(flush, this);
  }

  /** Whether the request is the one that is being answered. */
  answers(request: PipelinedRequest): boolean {
    return this.first === request && this.sink === request.sink;
  }

  /** The request is given up. */
  leave(request: PipelinedRequest): void {
    const { sink } = request;
    request.sink = NOBODY;
    if (!this.holds(request)) return;
    if (request.head !== '') return this.unlink(request);
    if (this.first !== request) return;
    if (request.next === null) return this.cut();
    if (this.sink === sink) {
      this.sink = NOBODY;
      this.resume();
    }
    this.watch();
  }

  private holds(request: PipelinedRequest): boolean {
    for (let one = this.first; one !== null; one = one.next) if (one === request) return true;
    return false;
  }

  /** Takes out a request that was not sent. */
  private unlink(request: PipelinedRequest): void {
    let before: PipelinedRequest | null = null;
    if (this.first === request) this.first = request.next;
    else {
      before = this.first as PipelinedRequest;
      while (before.next !== request) before = before.next as PipelinedRequest;
      before.next = request.next;
    }
    if (this.last === request) this.last = before;
    if (this.unsent === request) this.unsent = request.next;
    this.length--;
    if (this.length === 0 && this.phase === IDLE && !this.socket.destroyed) super.release();
  }

  /** Called by the event loop when all that could be read was. */
  flush(): void {
    this.flushing = false;
    let text = '';
    for (let request = this.unsent; request !== null; request = request.next) {
      text += request.head;
      request.head = '';
    }
    this.unsent = null;
    // What was lost with the connection hears of it when that closes.
    if (text === '' || this.socket.destroyed) return;
    if (this.sink === null) this.turnTo(this.first as PipelinedRequest);
    this.writer.write(text);
  }

  private turnTo(request: PipelinedRequest): void {
    this.expect(request.sink, request.method);
    if (request.sink === NOBODY) this.watch();
  }

  protected override onDrain(): void {
    super.onDrain();
    if (this.hasRoom) this.pipeline.onRoom(this);
  }

  // Of the answers.

  protected override onRead(size: number): boolean {
    const before = this.heardAt;
    this.heard();
    if (this.awaitsMore && this.heardAt - before > PATIENCE) this.pipeline.onStandstill(this.heardAt);
    super.onRead(size);
    const { first } = this;
    if (first === null || this.sink === null) return true;
    const given = this.sink === NOBODY;
    if (given && this.phase === BODY && this.bodyLeft > MOST_WASTED) this.cut();
    else if (first.next !== null && (this.paused || (this.phase === BODY && !this.reusable))) this.moveOn();
    else if (given || (first.next !== null && this.phase === BODY)) this.watch();
    return true;
  }

  protected override get awaitsMore(): boolean {
    const next = this.first?.next;
    return next !== null && next !== undefined && next.head === '';
  }

  protected override finish(trailers: string): void {
    if (this.first !== null) {
      if (this.turnAt >= 0) this.pipeline.onTurnTaken(this.heardAt - this.turnAt, this.heardAt);
      this.turnAt = -1;
      this.proven = this.reusable && this.parser.minor === 1;
      this.shift();
    }
    super.finish(trailers);
  }

  protected override release(): void {
    const { first } = this;
    if (this.leaving) {
      this.phase = CLOSED;
      this.socket.destroy();
    } else if (first === null) super.release();
    else {
      if (first.head === '') {
        this.turnAt = this.heardAt;
        this.turnTo(first);
      }
      if (this.hasRoom) this.pipeline.onRoom(this);
    }
  }

  private heard(): void {
    this.heardAt = this.pipeline.now();
    this.doubtedAt = 0;
  }

  private shift(): void {
    const first = this.first as PipelinedRequest;
    // Not to be kept for as long as the connection rests.
    if (this.watched === first) this.watched = null;
    this.first = first.next;
    if (this.first === null) this.last = null;
    this.length--;
  }

  // What keeps others waiting.

  private watch(): void {
    if (this.watched === this.first) return;
    this.watched = this.first;
    this.owner.wheel.schedule(this, this.pipeline.now() + PATIENCE);
  }

  override onDeadline(): void {
    if (this.first === null) return super.onDeadline();
    const late = this.watched === this.first;
    this.watched = null;
    if (!late) return;
    const waited = this.first.next !== null;
    if (waited) this.pipeline.onStandstill(this.pipeline.now());
    if (this.sink === NOBODY) this.cut();
    else if (waited) this.moveOn();
  }

  /** Those behind the answer under way go elsewhere, and the connection ends with it. */
  private moveOn(): void {
    const first = this.first as PipelinedRequest;
    const behind = first.next;
    first.next = null;
    this.last = first;
    this.unsent = null;
    this.length = 1;
    this.leaving = true;
    // From here on nobody waits.
    this.watched = null;
    tell(behind, MOVED);
  }

  /** Ends the connection, whose answer under way nobody waits for. */
  private cut(): void {
    this.sink = null;
    this.shift();
    this.close();
    this.endLine();
  }

  protected override fail(failure: UpstreamFailure): void {
    if (this.first !== null && this.sink !== null) this.shift();
    super.fail(failure);
    this.endLine();
  }

  protected override onClose(): void {
    super.onClose();
    this.endLine();
  }

  private endLine(): void {
    const { first } = this;
    this.first = this.last = this.unsent = null;
    this.length = 0;
    this.reusable = false;
    tell(first, MOVED);
  }
}

function tell(line: PipelinedRequest | null, failure: UpstreamFailure): void {
  for (let request = line; request !== null; request = request.next) request.sink.onUpstreamFailed(failure);
}

function flush(connection: PipelinedConnection): void {
  connection.flush();
}
