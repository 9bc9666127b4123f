/** Answers of the admin listener before they are written, and how they are made. */
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import { PROBLEM_MEDIA_TYPE, problemBody } from '../gateway/problem.ts';

/** An answer that goes on until the client leaves or the listener closes. */
export interface LastingBody {
  /** What is written from time to time, so that neither side takes the other for dead; and that time, in milliseconds. */
  readonly heartbeat?: { readonly text: string; readonly every: number };
  /** Called once, after the head is written. What it returns is called once, when the answer has ended for whatever reason. */
  begin(sink: LastingSink): () => void;
}

export interface LastingSink {
  /** False when the answer has ended: the client is gone, or read too slowly and was dropped. */
  write(text: string): boolean;
  end(): void;
}

export interface AdminReply {
  readonly status: number;
  /** Null when there is no body. */
  readonly mediaType: string | null;
  /** Pieces are produced only as fast as the client takes them. */
  readonly body: string | Iterable<string> | LastingBody;
  readonly headers?: Readonly<Record<string, string>>;
}

type Headers = AdminReply['headers'];

export function json(status: number, body: unknown, headers?: Headers): AdminReply {
  return { status, mediaType: 'application/json', body: `${JSON.stringify(body)}\n`, headers };
}

/** Items of a list that are written as one piece. */
const PORTION = 256;

/** As `json`, in pieces where `body` holds a long list: made and written at once, ten thousand items keep others waiting. */
export function jsonInPieces(status: number, body: object, headers?: Headers): AdminReply {
  const isLong = Object.values(body).some((value) => Array.isArray(value) && value.length > PORTION);
  if (!isLong) return json(status, body, headers);
  return { status, mediaType: 'application/json', body: piecesOf(body), headers };
}

function* piecesOf(body: object): Generator<string, void, void> {
  let text = '{';
  for (const [key, value] of Object.entries(body)) {
    if (value === undefined) continue;
    text += `${text === '{' ? '' : ','}${JSON.stringify(key)}:`;
    if (!Array.isArray(value)) {
      text += JSON.stringify(value);
      continue;
    }
    text += '[';
    for (let from = 0; from < value.length; from += PORTION) {
      const items = JSON.stringify(value.slice(from, from + PORTION)).slice(1, -1);
      yield from === 0 ? text + items : `,${items}`;
      text = '';
    }
    text += ']';
  }
  yield `${text}}\n`;
}

/** 204. */
export function empty(headers?: Headers): AdminReply {
  return { status: 204, mediaType: null, body: '', headers };
}

/** A problem document. `id` is the one that the answer's `X-Request-ID` carries; `more` are members beyond the usual ones. */
export function problem(code: ErrorCode, detail: string, id: string, more: object = {}, headers?: Headers): AdminReply {
  const known = problemBody(code, detail, id);
  const body = Object.keys(more).length === 0 ? known : JSON.stringify({ ...more, ...JSON.parse(known) });
  return { status: ERRORS[code].status, mediaType: PROBLEM_MEDIA_TYPE, body: `${body}\n`, headers };
}

export function isLasting(body: AdminReply['body']): body is LastingBody {
  return typeof body === 'object' && 'begin' in body;
}
