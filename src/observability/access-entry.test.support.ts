/** Entries of the access log for the tests of this room. */
import type { AccessEntry } from './access-entry.ts';

export function createEntry(changes: Partial<AccessEntry> = {}): AccessEntry {
  return {
    requestId: '01a1fd1c-b4d6-7098-b8a4-f501aa81a652',
    method: 'GET',
    target: '/users/1?a=b',
    host: 'api.example.com',
    route: 'user-by-id',
    service: 'users',
    endpoint: '127.0.0.1:9001',
    status: 200,
    upstreamStatus: 200,
    grpcStatus: -1,
    identity: null,
    bytesIn: 0,
    bytesOut: 105,
    durationMs: 1.25,
    upstreamMs: 1.1,
    retries: 0,
    errorCode: '',
    clientAddress: '192.0.2.1',
    protocol: 'HTTP/1.1',
    traceId: '1177d525167d19420b0c90ab67fcab20',
    userAgent: () => 'curl/8.0',
    header: () => undefined,
    ...changes,
  };
}

/** 2026-01-31T23:59:58.007Z. */
export const WALL = Date.UTC(2026, 0, 31, 23, 59, 58, 7);
