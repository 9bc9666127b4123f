/** The one secret that a gateway makes when it starts, shared by all its processes, and the keys that are made from it. */
import { hkdfSync, randomBytes } from 'node:crypto';

const NO_SALT = Buffer.alloc(0);

export function createStartSecret(): Buffer {
  return randomBytes(32);
}

/** A key of `length` bytes for one purpose (RFC 5869): who knows it knows neither the secret nor another purpose's key. */
export function deriveKey(secret: Uint8Array, purpose: string, length = 32): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, NO_SALT, `portico ${purpose}`, length));
}
