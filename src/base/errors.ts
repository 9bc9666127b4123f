/** Every error the gateway can answer with: one stable code, who is at fault, whether another try may help, and its status. */

/** Who caused the failure. */
export type ErrorSource = 'client' | 'upstream' | 'gateway';

export interface ErrorKind {
  readonly code: string;
  readonly status: number;
  readonly source: ErrorSource;
  /** True when sending the same request again, elsewhere or later, may succeed. */
  readonly retryable: boolean;
  /** True when the client's connection ends with the answer: what follows on it cannot be trusted, or is not wanted. */
  readonly closes: boolean;
  /** True when the answer carries `Retry-After`. */
  readonly retryAfter: boolean;
  readonly title: string;
}

/** Columns that most rows leave out. */
const USUAL = { closes: false, retryAfter: false };

const table = {
  bad_request: { status: 400, source: 'client', retryable: false, closes: true, title: 'Malformed request' },
  unauthenticated: { status: 401, source: 'client', retryable: false, title: 'Authentication required' },
  forbidden: { status: 403, source: 'client', retryable: false, title: 'Forbidden' },
  route_not_found: { status: 404, source: 'client', retryable: false, title: 'No route matches' },
  resource_not_found: { status: 404, source: 'client', retryable: false, title: 'No such resource' },
  method_not_allowed: { status: 405, source: 'client', retryable: false, title: 'Method not allowed' },
  request_timeout: { status: 408, source: 'client', retryable: true, closes: true, title: 'Request timeout' },
  conflict: { status: 409, source: 'client', retryable: false, title: 'Conflict' },
  precondition_failed: { status: 412, source: 'client', retryable: false, title: 'Precondition failed' },
  payload_too_large: { status: 413, source: 'client', retryable: false, closes: true, title: 'Payload too large' },
  uri_too_long: { status: 414, source: 'client', retryable: false, title: 'URI too long' },
  unsupported_media_type: { status: 415, source: 'client', retryable: false, title: 'Unsupported media type' },
  expectation_failed: { status: 417, source: 'client', retryable: false, title: 'Expectation failed' },
  misdirected_request: { status: 421, source: 'client', retryable: false, title: 'Misdirected request' },
  config_invalid: { status: 422, source: 'client', retryable: false, title: 'Configuration invalid' },
  unknown_tier: { status: 422, source: 'client', retryable: false, title: 'Unknown tier' },
  upgrade_required: { status: 426, source: 'client', retryable: false, title: 'Upgrade required' },
  rate_limited: { status: 429, source: 'client', retryable: true, retryAfter: true, title: 'Too many requests' },
  request_head_too_large: { status: 431, source: 'client', retryable: false, title: 'Request head too large' },
  client_closed: { status: 499, source: 'client', retryable: false, title: 'Client closed the connection' },
  internal_error: { status: 500, source: 'gateway', retryable: false, title: 'Internal error' },
  upstream_connect_failed: { status: 502, source: 'upstream', retryable: true, title: 'Upstream connection failed' },
  upstream_reset: { status: 502, source: 'upstream', retryable: true, title: 'Upstream closed the connection' },
  upstream_invalid_response: { status: 502, source: 'upstream', retryable: false, title: 'Upstream answer invalid' },
  no_healthy_endpoint: {
    status: 503,
    source: 'upstream',
    retryable: true,
    retryAfter: true,
    title: 'No healthy endpoint',
  },
  circuit_open: { status: 503, source: 'upstream', retryable: true, retryAfter: true, title: 'Circuit open' },
  overloaded: { status: 503, source: 'gateway', retryable: true, retryAfter: true, title: 'Overloaded' },
  authentication_unavailable: {
    status: 503,
    source: 'upstream',
    retryable: true,
    retryAfter: true,
    title: 'Authentication unavailable',
  },
  route_quarantined: { status: 503, source: 'gateway', retryable: false, title: 'Route out of service' },
  store_unavailable: { status: 503, source: 'gateway', retryable: true, retryAfter: true, title: 'Store unavailable' },
  draining: { status: 503, source: 'gateway', retryable: true, retryAfter: true, title: 'Draining' },
  upstream_timeout: { status: 504, source: 'upstream', retryable: true, title: 'Upstream timeout' },
} as const satisfies Record<string, Omit<ErrorKind, 'code' | keyof typeof USUAL> & Partial<typeof USUAL>>;

export type ErrorCode = keyof typeof table;

/** The table, by code. Codes are part of the public interface: they are never renamed and never reused. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = Object.fromEntries(
  Object.entries(table).map(([code, kind]) => [code, Object.freeze({ code, ...USUAL, ...kind })]),
) as Record<ErrorCode, ErrorKind>;

/** A start-up or reload failure that is the operator's to mend: shown without a stack. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}
