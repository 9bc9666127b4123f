/** Writes the answers of the admin listener: whole, piece by piece as the client takes them, or for as long as it stays. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TimerHandle, Timers } from '../base/clock.ts';
import { type AdminReply, isLasting, type LastingBody } from './reply.ts';

/** Bytes and milliseconds that a refused body may still take: closing at once would reset what the client has yet to read. */
const DRAINED = 1024 * 1024;
const DRAINING = 1000;

/** Bytes that a lasting answer may run ahead of its client. */
const BEHIND = 256 * 1024;

/** Told of an answer that could not be completed. */
export type OnBroken = (error: unknown) => void;

/** Answers that go on, of one listener. */
export class LastingReplies {
  private readonly timers: Timers;
  private readonly open = new Set<ServerResponse>();

  constructor(timers: Timers) {
    this.timers = timers;
  }

  write(response: ServerResponse, body: LastingBody): void {
    // Quiet is what they are for; the heartbeat finds out who is gone.
    response.socket?.setTimeout(0);
    response.setHeader('Connection', 'close');
    response.flushHeaders();
    let ended = false;
    let beating: TimerHandle = null;
    let onEnded: () => void = () => {};
    const write = (text: string): boolean => {
      if (ended || response.writableEnded || response.destroyed) return false;
      response.write(text);
      if (response.writableLength <= BEHIND) return true;
      response.destroy();
      return false;
    };
    const beat = (text: string, every: number): void => {
      beating = this.timers.setTimeout(() => {
        if (write(text)) beat(text, every);
      }, every);
    };
    this.open.add(response);
    response.once('close', () => {
      ended = true;
      this.open.delete(response);
      this.timers.clearTimeout(beating);
      onEnded();
    });
    if (body.heartbeat !== undefined) beat(body.heartbeat.text, body.heartbeat.every);
    onEnded = body.begin({ write, end: () => void response.end() });
    // `close` comes in a later turn of the event loop, so that it finds the right `onEnded`.
  }

  /** Those that stand now end. */
  end(): void {
    for (const response of this.open) {
      // Whoever has yet to read something would keep the listener waiting.
      if (response.writableLength > 0) response.destroy();
      else response.end();
    }
  }
}

export function writeReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: AdminReply,
  lasting: LastingReplies,
  onBroken: OnBroken,
): void {
  const { status, mediaType, body, headers = {} } = reply;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (mediaType !== null) response.setHeader('Content-Type', mediaType);
  // What follows a body that nobody read is not the next request.
  if (!request.complete) response.setHeader('Connection', 'close');
  if (typeof body === 'string') writeWhole(request, response, mediaType === null ? null : body);
  else if (request.method === 'HEAD') response.end();
  else if (isLasting(body)) lasting.write(response, body);
  else writePieces(response, body[Symbol.iterator](), onBroken);
}

function writeWhole(request: IncomingMessage, response: ServerResponse, body: string | null): void {
  if (body !== null) response.setHeader('Content-Length', Buffer.byteLength(body));
  if (body === null || request.method === 'HEAD' || request.complete) {
    response.end(request.method === 'HEAD' || body === null ? undefined : body);
    return;
  }
  response.write(body);
  drain(request, () => response.end());
}

/** Throws away what is left of a body, up to a bound. */
function drain(request: IncomingMessage, then: () => void): void {
  let left = DRAINED;
  const finish = (): void => {
    clearTimeout(timer);
    request.off('data', onData).off('end', finish).off('close', finish);
    then();
  };
  const onData = (piece: Buffer): void => {
    left -= piece.length;
    if (left < 0) finish();
  };
  const timer = setTimeout(finish, DRAINING);
  request.on('data', onData).on('end', finish).on('close', finish).resume();
}

/** One piece a turn of the event loop, and none while the client does not read: traffic goes before scrapes. */
function writePieces(response: ServerResponse, pieces: Iterator<string>, onBroken: OnBroken): void {
  const next = (): void => {
    if (response.destroyed) return;
    try {
      const { done, value } = pieces.next();
      if (done === true) response.end();
      else if (response.write(value)) setImmediate(next);
      else response.once('drain', next);
    } catch (error) {
      onBroken(error);
      response.destroy();
    }
  };
  next();
}
