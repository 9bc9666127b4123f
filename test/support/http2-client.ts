/** A client of HTTP/2 for tests: whole requests and answers, and what becomes of a stream that ends otherwise. */

import type { SecureClientSessionOptions } from 'node:http2';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';

export interface Http2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>;
  /** The code of RST_STREAM; 0 when the stream ended well. */
  readonly reset: number;
}

export interface Http2Client {
  readonly session: ClientHttp2Session;
  request(headers: OutgoingHttpHeaders, body?: Buffer | string): Promise<Http2Answer>;
  /** A stream whose body is the caller's to write. */
  open(headers: OutgoingHttpHeaders): ClientHttp2Stream;
  close(): void;
}

export async function http2Client(url: string, options: SecureClientSessionOptions = {}): Promise<Http2Client> {
  const session = connect(url, options);
  session.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
  });
  return {
    session,
    open: (headers) => session.request(headers, { endStream: false }),
    request(headers, body) {
      const stream = session.request(headers, { endStream: body === undefined });
      const answer = answerOf(stream);
      if (body !== undefined) stream.end(body);
      return answer;
    },
    close: () => session.destroy(),
  };
}

/** Settles when the stream has closed, however it did. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    let headers: Record<string, string | string[] | undefined> = {};
    let trailers: Record<string, string | string[] | undefined> = {};
    const chunks: Buffer[] = [];
    stream.on('response', (fields) => (headers = fields as typeof headers));
    stream.on('trailers', (fields) => (trailers = fields as typeof trailers));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      const status = Number(headers[':status'] ?? 0);
      resolve({ status, headers, body: Buffer.concat(chunks), trailers, reset: stream.rstCode ?? 0 });
    });
  });
}
