/** Public keys as people have them in files: read from PEM, and private ones told apart. */
import { createPublicKey, type KeyObject } from 'node:crypto';

/**
 * The key of a PEM text: a public key or the certificate that holds it. Throws an `Error` in words for people, which do not
 * quote the text, for everything else, private keys among it.
 */
export function parsePublicKey(pem: string): KeyObject {
  // The library would make the public key of it, and nobody would learn that a secret lies where none is wanted.
  if (pem.includes('PRIVATE KEY-----'))
    throw new Error('holds a private key: the public one is wanted, and nothing more');
  try {
    return createPublicKey(pem);
  } catch {
    throw new Error('holds no public key in PEM (`-----BEGIN PUBLIC KEY-----`)');
  }
}
