/** The bearer token of the admin listener: compared in constant time, and guessed at only slowly. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';

export type TokenVerdict = 'accepted' | 'missing' | 'wrong' | 'limited';

export interface TokenGuard {
  /** Judges the `Authorization` field of a request from `address`. */
  check(authorization: string | undefined, address: string): TokenVerdict;
}

/** Wrong tokens that one address may send at once; after that one more each second. */
const BURST = 10;

/** Addresses remembered. The one that failed longest ago makes room. */
const ADDRESSES = 1024;

/** Milliseconds between two log lines. */
const QUIET = 1000;

interface Failures {
  /** Wrong tokens still allowed at `at`. */
  left: number;
  at: number;
}

/** A guard for one token. The token itself is not kept, nor is any credential logged. */
export function createTokenGuard(token: string, clock: Clock, logger: Logger): TokenGuard {
  const expected = digest(token);
  const failures = new Map<string, Failures>();
  let loggedAt = -Infinity;
  let unlogged = 0;

  const onWrong = (address: string, now: number): void => {
    const left = allowance(failures.get(address), now);
    // Deleted first, so that the map's order is that of the last failure.
    failures.delete(address);
    failures.set(address, { left: left - 1, at: now });
    if (failures.size > ADDRESSES) failures.delete(failures.keys().next().value as string);
    if (now - loggedAt < QUIET) {
      unlogged++;
      return;
    }
    logger.warn('admin: wrong token', { client: address, more_since_last: unlogged });
    loggedAt = now;
    unlogged = 0;
  };

  return {
    check(authorization, address) {
      const now = clock.now();
      // Also the right token waits: else the limit would not limit guessing.
      if (allowance(failures.get(address), now) < 1) return 'limited';
      if (authorization === undefined) return 'missing';
      const credential = bearerOf(authorization);
      // Digests have one length, so that neither length nor content shows in the time it takes.
      if (credential !== null && timingSafeEqual(digest(credential), expected)) return 'accepted';
      onWrong(address, now);
      return 'wrong';
    },
  };
}

function allowance(failures: Failures | undefined, now: number): number {
  return failures === undefined ? BURST : Math.min(BURST, failures.left + (now - failures.at) / 1000);
}

/** The credential of the scheme, whose name is case-insensitive (RFC 9110 section 11.1). */
function bearerOf(authorization: string): string | null {
  return /^bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1] ?? null;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
