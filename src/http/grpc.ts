/** The gRPC of a head: whether it is one, its deadline, its status, and the answer that has nothing but a status. */
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import { sameName } from './fields.ts';

/** What `grpcKind` finds. */
export const NOT_GRPC = 0;
export const GRPC = 1;
export const GRPC_WEB = 2;
export const GRPC_WEB_TEXT = 3;

/** Statuses of gRPC that the gateway itself gives or acts on. */
export const GRPC_STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** The highest status there is. */
const HIGHEST_GRPC_STATUS = 16;

/** No status has been seen. */
export const NO_GRPC_STATUS = -1;

const MEDIA_TYPE = 'application/grpc';
const TAB = 9;
const SP = 32;
const PLUS = 43;
const SEMICOLON = 59;
const PERCENT = 37;
const ZERO = 48;
const NINE = 57;

/** Which gRPC a Content-Type means; a format (`+proto`) and parameters may follow the name of the type. */
export function grpcKind(contentType: string): number {
  let at = MEDIA_TYPE.length;
  if (!sameName(contentType, 0, MEDIA_TYPE)) return NOT_GRPC;
  if (endsType(contentType, at)) return GRPC;
  if (!sameName(contentType, at, '-web')) return NOT_GRPC;
  at += 4;
  if (endsType(contentType, at)) return GRPC_WEB;
  return sameName(contentType, at, '-text') && endsType(contentType, at + 5) ? GRPC_WEB_TEXT : NOT_GRPC;
}

function endsType(value: string, at: number): boolean {
  if (at === value.length) return true;
  const code = value.charCodeAt(at);
  return code === PLUS || code === SEMICOLON || code === SP || code === TAB;
}

/** Milliseconds of one unit of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Digits of a `grpc-timeout`, at most. */
const TIMEOUT_DIGITS = 8;

/**
 * Milliseconds, perhaps a fraction; -1 for what is malformed. That is no reason to refuse a call: it has then no deadline
 * of its own here, and the server, which gets the field as it came, is the judge of it.
 */
export function parseGrpcTimeout(value: string): number {
  const digits = value.length - 1;
  if (digits < 1 || digits > TIMEOUT_DIGITS) return -1;
  let amount = 0;
  for (let i = 0; i < digits; i++) {
    const code = value.charCodeAt(i);
    if (code < ZERO || code > NINE) return -1;
    amount = amount * 10 + code - ZERO;
  }
  const unit = UNITS[value[digits]];
  return unit === undefined ? -1 : amount * unit;
}

const COARSER: readonly (readonly [unit: string, milliseconds: number])[] = [
  ['m', 1],
  ['S', 1000],
  ['M', 60_000],
  ['H', 3_600_000],
];

/** The value of `grpc-timeout` for so many milliseconds, in the finest unit that has room for them; never less than asked. */
export function formatGrpcTimeout(milliseconds: number): string {
  const most = 10 ** TIMEOUT_DIGITS - 1;
  for (const [unit, length] of COARSER) {
    const amount = Math.max(1, Math.ceil(milliseconds / length));
    if (amount <= most) return `${amount}${unit}`;
  }
  return `${most}H`;
}

/** A status as a number; one that is not of the table counts as UNKNOWN, as clients take it. */
export function parseGrpcStatus(value: string): number {
  const code = value.charCodeAt(0) - ZERO;
  if (value.length === 1) return code >= 0 && code <= 9 ? code : GRPC_STATUS.unknown;
  const second = value.charCodeAt(1) - ZERO;
  if (value.length !== 2 || code !== 1 || second < 0 || second > HIGHEST_GRPC_STATUS - 10) return GRPC_STATUS.unknown;
  return 10 + second;
}

/** The `grpc-status` among field lines, each `name: value CRLF`; `NO_GRPC_STATUS` when there is none. */
export function grpcStatusIn(lines: string): number {
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start);
    if (end < 0) break;
    const colon = lines.indexOf(':', start);
    if (colon - start === 11 && sameName(lines, start, 'grpc-status')) {
      return parseGrpcStatus(lines.slice(colon + 1, end).trim());
    }
    start = end + 2;
  }
  return NO_GRPC_STATUS;
}

/**
 * What a refusal of the gateway is in gRPC. Where the mapping of HTTP statuses (`grpcStatusOfHttp`) knows less than the
 * gateway does, the meaning counts: quotas and sizes are RESOURCE_EXHAUSTED (as in google.rpc.Code), a deadline is
 * DEADLINE_EXCEEDED, and UNAVAILABLE, which invites another try, is only for what another try may help.
 */
const STATUS_OF_ERROR: Readonly<Record<ErrorCode, number>> = {
  bad_request: GRPC_STATUS.internal,
  unauthenticated: GRPC_STATUS.unauthenticated,
  forbidden: GRPC_STATUS.permissionDenied,
  route_not_found: GRPC_STATUS.unimplemented,
  resource_not_found: GRPC_STATUS.notFound,
  method_not_allowed: GRPC_STATUS.unimplemented,
  request_timeout: GRPC_STATUS.deadlineExceeded,
  conflict: GRPC_STATUS.aborted,
  precondition_failed: GRPC_STATUS.failedPrecondition,
  payload_too_large: GRPC_STATUS.resourceExhausted,
  uri_too_long: GRPC_STATUS.resourceExhausted,
  unsupported_media_type: GRPC_STATUS.invalidArgument,
  expectation_failed: GRPC_STATUS.invalidArgument,
  upgrade_required: GRPC_STATUS.invalidArgument,
  misdirected_request: GRPC_STATUS.unavailable,
  config_invalid: GRPC_STATUS.invalidArgument,
  unknown_tier: GRPC_STATUS.invalidArgument,
  rate_limited: GRPC_STATUS.resourceExhausted,
  request_head_too_large: GRPC_STATUS.resourceExhausted,
  client_closed: GRPC_STATUS.cancelled,
  internal_error: GRPC_STATUS.internal,
  upstream_connect_failed: GRPC_STATUS.unavailable,
  upstream_reset: GRPC_STATUS.unavailable,
  upstream_invalid_response: GRPC_STATUS.internal,
  no_healthy_endpoint: GRPC_STATUS.unavailable,
  circuit_open: GRPC_STATUS.unavailable,
  overloaded: GRPC_STATUS.unavailable,
  authentication_unavailable: GRPC_STATUS.unavailable,
  store_unavailable: GRPC_STATUS.unavailable,
  route_quarantined: GRPC_STATUS.unavailable,
  draining: GRPC_STATUS.unavailable,
  upstream_timeout: GRPC_STATUS.deadlineExceeded,
};

export function grpcStatusOfError(code: ErrorCode): number {
  return STATUS_OF_ERROR[code] ?? grpcStatusOfHttp(ERRORS[code].status);
}

/** The status that clients take an answer without one for, by its HTTP status (gRPC: "HTTP to gRPC Status Code Mapping"). */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return GRPC_STATUS.internal;
    case 401:
      return GRPC_STATUS.unauthenticated;
    case 403:
      return GRPC_STATUS.permissionDenied;
    case 404:
      return GRPC_STATUS.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GRPC_STATUS.unavailable;
    default:
      return GRPC_STATUS.unknown;
  }
}

const HEX = '0123456789ABCDEF';

/** True for a status that tells of a fault behind the client, as a status of HTTP from 500 on does. */
export function isGrpcFault(status: number): boolean {
  switch (status) {
    case GRPC_STATUS.unknown:
    case GRPC_STATUS.deadlineExceeded:
    case GRPC_STATUS.internal:
    case GRPC_STATUS.unavailable:
    case GRPC_STATUS.dataLoss:
      return true;
    default:
      return false;
  }
}

/** The value of `grpc-message`: UTF-8, percent-encoded but for printable US-ASCII without the percent sign. */
export function encodeGrpcMessage(message: string): string {
  const bytes = Buffer.from(message);
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    // A space at either end would be taken for the white space around a field's value.
    const plain = byte === SP ? i > 0 && i < bytes.length - 1 : byte > SP && byte < 0x7f && byte !== PERCENT;
    text += plain ? String.fromCharCode(byte) : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return text;
}

/** The two lines that say how a call ended. */
export function grpcStatusLines(status: number, message: string): string {
  return `grpc-status: ${status}\r\ngrpc-message: ${encodeGrpcMessage(message)}\r\n`;
}

/** The lines of a trailers-only answer, whose HTTP status is 200. */
export function trailersOnlyLines(status: number, message: string): string {
  return `Content-Type: ${MEDIA_TYPE}\r\n${grpcStatusLines(status, message)}`;
}
