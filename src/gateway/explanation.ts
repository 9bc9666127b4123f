/** What is told of a request or a connection that is explained: plain data, the same by the command and by the admin API. */
import type { ErrorCode } from '../base/errors.ts';
import type { Candidate } from '../router/router.ts';

/** The shape of `explain --json` (the contract's "Shapes"), with what the gateway would answer by itself. */
export interface Explanation {
  route: string | null;
  candidates: Candidate[];
  policies: { name: string; phase: string; effect: string }[];
  service: string | null;
  /** What the cookie of a sticky service does to the request; absent where there is none. */
  sticky?: string | undefined;
  endpoints: { id: string; url: string; weight: number; chosen: boolean }[];
  /** The request as the upstream would get it; null when the gateway answers. */
  request: { method: string; url: string; headers: Record<string, string | string[]> } | null;
  /** The gateway's own answer; null when an upstream is asked. */
  answer: { status: number; code: string; body: string } | null;
  /** Why a policy refused, which clients are not told; absent where none did, or where it gave no reason. */
  reason?: string;
  /** Of a connection that is only relayed, instead of a request and an answer; absent of requests. */
  connection?: ExplainedConnection;
  /** Why the route is quarantined; absent where it serves. */
  quarantined?: string;
}

/** Why a connection is not relayed. */
export type ConnectionError = Extract<ErrorCode, 'route_not_found' | 'route_quarantined' | 'no_healthy_endpoint'>;

/** What stands in an explanation in place of a request and an answer. */
export interface ExplainedConnection {
  listener: string;
  protocol: 'TCP' | 'TLS';
  /** `''` where the client names none. */
  sni: string;
  /** In which version the endpoint is told who the client is; absent where it is not. */
  proxyProtocol?: 'v1' | 'v2';
  /** The code that the access log would have; null where the connection is relayed, and not reset. */
  error: ConnectionError | null;
}
