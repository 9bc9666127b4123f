/** What a case of the request side is: raw bytes of a client, and what a strict gateway must make of them. */

/** Limits of the listener under which the cases are written, in bytes. */
export const CASE_LIMITS = { requestHead: 4096, requestBody: 65536 } as const;

export interface ForwardedRequest {
  method: string;
  target: string;
  /** Values as the origin must see them, lines of one name joined by `, `. Names in lower case. */
  headers?: Record<string, string | RegExp>;
  absentHeaders?: string[];
  /** Latin1 text; the default is an empty body. */
  body?: string | Buffer;
}

export type RequestVerdict =
  /** Answered with one of these statuses and closed; nothing of it reaches an origin as a complete request. */
  | { refused: number | number[]; midBody?: true; noInterim?: true }
  /** Reaches the origin so, and its answer comes back. */
  | { forwarded: ForwardedRequest }
  /** Answered by the gateway itself, nothing forwarded; the connection may stay. */
  | { answered: number | number[]; method?: 'HEAD' }
  /** The client went away first: nothing is forwarded complete, an answer is optional, the connection is closed. */
  | { dropped: true }
  /** The standard leaves a choice. Only as the last verdict. */
  | { either: RequestVerdict[] };

export interface RequestCase {
  name: string;
  /** Where the rule stands, as `RFC 9112 6.3` or `contract`. */
  section: string;
  /** Text is latin1. */
  raw: string | Buffer;
  /** One verdict for each request in `raw`, in order. */
  expect: RequestVerdict | RequestVerdict[];
  /** The client half-closes after the bytes. */
  end?: true;
  /** The gateway closes after the last answer. Default: it does after a refusal, it does not after a forwarded one. */
  closes?: true;
}

export function verdictsOf(one: RequestCase): RequestVerdict[] {
  return Array.isArray(one.expect) ? one.expect : [one.expect];
}

export function bytesOf(raw: string | Buffer): Buffer {
  return typeof raw === 'string' ? Buffer.from(raw, 'latin1') : raw;
}

/** 400, and the connection closed. */
export const refused400: RequestVerdict = { refused: 400 };
/** 400 for a fault found after the head: the origin may have seen a beginning. */
export const refusedBody: RequestVerdict = { refused: 400, midBody: true };

export function forwarded(method: string, target: string, more: Partial<ForwardedRequest> = {}): RequestVerdict {
  return { forwarded: { method, target, ...more } };
}
