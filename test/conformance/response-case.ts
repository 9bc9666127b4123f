/** What a case of the response side is: raw bytes of an origin, and what the client of a strict gateway must see. */

export interface PassedAnswer {
  status: number;
  /** Values as the client must see them, lines of one name joined by `, `. Names in lower case. */
  headers?: Record<string, string | RegExp>;
  absentHeaders?: string[];
  /** Field lines that must be there as lines of their own, in this order. */
  lines?: [name: string, value: string][];
  /** Latin1 text; the default is an empty body. */
  body?: string | Buffer;
  /** How the body is delimited for the client. */
  framing?: 'none' | 'length' | 'chunked' | 'close';
  trailers?: [name: string, value: string][];
  /** Statuses of the 1xx answers before it. Default: none. */
  interim?: number[];
  /** 1xx answers are not looked at. */
  anyInterim?: true;
}

export type ResponseVerdict =
  | { passed: PassedAnswer }
  /** 502 with one of these codes; default `upstream_invalid_response`. */
  | { failed: string[] }
  /**
   * The head may have been relayed already: then what comes of the body is a beginning of `body` and the end is visibly
   * a cut. Where the gateway found the fault in time it answers 502 with one of the codes.
   */
  | { cut: { status: number; body: string | Buffer; codes: string[] } }
  | { either: ResponseVerdict[] };

export interface ResponseCase {
  name: string;
  section: string;
  /** What the origin writes when it has read the request. Text is latin1. */
  raw: string | Buffer;
  /** The client's request; default a plain GET on HTTP/1.1. */
  request?: string;
  /** Its method; default GET. */
  method?: string;
  /** What the origin does after the bytes; default: it keeps the connection open. */
  after?: 'end' | 'reset' | 'reset at once';
  expect: ResponseVerdict;
  /**
   * True: the next request goes over the same upstream connection. False: the gateway closes that connection.
   * Left out where either is right.
   */
  reuse?: boolean;
  /** The gateway closes the client's connection after the answer. Default: it stays open (never after a cut). */
  closes?: true;
}

export const INVALID: ResponseVerdict = { failed: ['upstream_invalid_response'] };
export const RESET: ResponseVerdict = { failed: ['upstream_reset'] };

export function passed(status: number, body: string | Buffer = '', more: Partial<PassedAnswer> = {}): ResponseVerdict {
  return { passed: { status, body, ...more } };
}

export function cut(status: number, body: string | Buffer, ...codes: string[]): ResponseVerdict {
  return { cut: { status, body, codes } };
}
