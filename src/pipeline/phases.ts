/** The phases of a request, in the order in which they happen; `docs/life-of-a-request.md` draws the same. */

/**
 * - `edge`: before anything is decided about the caller.
 * - `guard`: what is judged without knowing who calls (CORS, addresses).
 * - `authenticate`: who calls.
 * - `authorize`: whether that caller may.
 * - `meter`: how much (sizes, rates, quotas, concurrency).
 * - `shape`: what the upstream gets (validation, header and body changes).
 * - `recall`: answers without the upstream (cache, mock, aggregation).
 * - `answer`: what the client gets (header and body changes, compression).
 */
export const PHASES = ['edge', 'guard', 'authenticate', 'authorize', 'meter', 'shape', 'recall', 'answer'] as const;

export type Phase = (typeof PHASES)[number];
