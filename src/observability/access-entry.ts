/** What the access log asks of a finished request. */

/**
 * The exchange itself, so that nothing is copied. Text is as received, bytes decoded as latin1, and may be hostile; only
 * `requestId`, `protocol`, `errorCode` and `traceId` are of characters that need no escaping.
 */
export interface AccessEntry {
  readonly requestId: string;
  readonly method: string;
  /** As received, with its query. */
  readonly target: string;
  readonly host: string;
  readonly route: string;
  readonly service: string;
  readonly endpoint: string;
  readonly status: number;
  /** 0 when no upstream answered. */
  readonly upstreamStatus: number;
  /** Of a call of gRPC, 0 to 16; below 0 for other requests. */
  readonly grpcStatus: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds. */
  readonly durationMs: number;
  /** Milliseconds with the upstream; below 0 when there was none. */
  readonly upstreamMs: number;
  readonly retries: number;
  /** A code of the error table, or `''`. */
  readonly errorCode: string;
  readonly clientAddress: string;
  readonly protocol: string;
  readonly traceId: string;
  /** Who called, where an authentication has found out. */
  readonly identity: { readonly subject: string; readonly consumer: string | null } | null;
  userAgent(): string;
  /** A request field by its lower-case name. */
  header(lowerName: string): string | undefined;
}

/** Makes the text of one line of an entry, with its line feed, in US-ASCII. `wall` is milliseconds since 1970. */
export type AccessLine = (entry: AccessEntry, wall: number) => string;
