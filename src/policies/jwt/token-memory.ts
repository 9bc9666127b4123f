/** Tokens that were verified, with who they belong to: bounded, and forgotten when they end or their key does. */
import type { Identity } from '../../pipeline/identity.ts';
import type { VerificationKey } from './verification-key.ts';

export interface RememberedToken {
  readonly identity: Identity;
  /** Milliseconds since the Unix epoch at which the token ends; infinite for one that never does. */
  readonly until: number;
  readonly key: VerificationKey;
}

/** Most tokens of each of the two halves, and most bytes. */
const MOST = 5_000;
const MOST_BYTES = 16 * 1024 * 1024;

/** What an entry takes beside its text and what the text says, in bytes. */
const OVERHEAD = 1024;

/** Bytes in memory for one character of a token: itself, its claims as values, and the lines made of them. */
const PER_CHARACTER = 4;

/**
 * Two halves: what is asked for is in the younger one, or moves there. When that is full it becomes the older one, and what
 * nobody asked for since goes. A look-up costs one probe, without the moves of a list in order of use.
 */
export class TokenMemory {
  private young = new Map<string, RememberedToken>();
  private old = new Map<string, RememberedToken>();
  private bytes = 0;

  /** Who a token belongs to at `now`, in milliseconds since the Unix epoch; null when it must be verified. */
  find(token: string, now: number): Identity | null {
    let entry = this.young.get(token);
    if (entry === undefined) {
      entry = this.old.get(token);
      if (entry === undefined) return null;
      this.old.delete(token);
      if (isSound(entry, now)) this.keep(token, entry);
    }
    if (isSound(entry, now)) return entry.identity;
    this.young.delete(token);
    return null;
  }

  keep(token: string, entry: RememberedToken): void {
    const size = OVERHEAD + PER_CHARACTER * token.length;
    if (this.young.size >= MOST || this.bytes + size > MOST_BYTES) {
      this.old = this.young;
      this.young = new Map();
      this.bytes = 0;
    }
    this.bytes += size;
    // A copy: the token is a slice of a request's head, all of which would stay with it.
    this.young.set(Buffer.from(token, 'latin1').toString('latin1'), entry);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
    this.bytes = 0;
  }

  get size(): number {
    return this.young.size + this.old.size;
  }
}

function isSound({ until, key }: RememberedToken, now: number): boolean {
  return now < until && key.isLive;
}
