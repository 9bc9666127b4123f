/** Writes the answers of the admin listener: whole, piece by piece as the client takes them, or for as long as it stays. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AdminReply, isLasting, type LastingBody } from './reply.ts';

/** Bytes and milliseconds that a refused body may still take: closing at once would reset what the client has yet to read. */
const DRAINED = 1024 * 1024;
const DRAINING = 1000;

/** Bytes that a lasting answer may run ahead of its client. */
const BEHIND = 256 * 1024;

/** Told of an answer that could not be completed. */
export type OnBroken = (error: unknown) => void;

export function writeReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: AdminReply,
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
  else if (isLasting(body)) writeLasting(response, body);
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

function writeLasting(response: ServerResponse, body: LastingBody): void {
  response.flushHeaders();
  let onEnded: (() => void) | null = null;
  let ended = false;
  response.once('close', () => {
    ended = true;
    onEnded?.();
  });
  onEnded = body.begin({
    write(text) {
      if (ended || response.destroyed) return false;
      response.write(text);
      if (response.writableLength <= BEHIND) return true;
      response.destroy();
      return false;
    },
    end: () => void response.end(),
  });
  if (ended) onEnded();
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
