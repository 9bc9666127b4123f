/** Fast hashing that spreads clients over endpoints: 32 bits, the same in every process, never for secrets. */

/** Scrambles 32 bits so that every input bit moves about half of the output bits (the finalizer of MurmurHash3). */
function mixBits(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** A signed 32-bit hash of a text by its UTF-16 units (FNV-1a, then mixed). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixBits(hash);
}

/** One number of a pair of hashes, strictly between 0 and 1; pairs are independent of each other for all we need. */
export function hashPair(left: number, right: number): number {
  const mixed = mixBits(Math.imul(left, 0x9e3779b1) ^ mixBits(right + 0x7f4a7c15));
  return ((mixed >>> 0) + 0.5) / 4294967296;
}
