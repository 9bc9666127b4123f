/** How much of an answer's head the gateway takes from an endpoint, by whatever protocol it comes. */

/** Largest head, in bytes. */
export const RESPONSE_HEAD = 64 * 1024;

/** Interim answers to one request, before it counts as an attack. */
export const MAX_INFORMATIONAL = 32;
