/** Ways to cut bytes into the pieces in which they are written: the verdict must not depend on them. */
import { createRandom, type Random, seedOf } from './seeded-random.ts';

export interface Split {
  name: string;
  pieces: Buffer[];
}

function atCuts(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...new Set(cuts)].sort((a, b) => a - b)) {
    if (cut <= from || cut >= bytes.length) continue;
    pieces.push(bytes.subarray(from, cut));
    from = cut;
  }
  pieces.push(bytes.subarray(from));
  return pieces;
}

export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

export function atRandomCuts(bytes: Buffer, random: Random, most = 6): Buffer[] {
  const count = 1 + random.below(most);
  return atCuts(
    bytes,
    Array.from({ length: count }, () => random.below(bytes.length)),
  );
}

/** Whole, byte by byte (unless the bytes are too many for it) and at seeded random cuts. */
export function splitsOf(name: string, bytes: Buffer, byteLimit = 6000): Split[] {
  const splits: Split[] = [{ name: 'whole', pieces: [bytes] }];
  if (bytes.length < 2) return splits;
  if (bytes.length <= byteLimit) splits.push({ name: 'byte by byte', pieces: byteByByte(bytes) });
  const random = createRandom(seedOf(name));
  for (let i = 1; i <= 3; i++) {
    const pieces = atRandomCuts(bytes, random);
    splits.push({
      name: `cut after ${pieces.slice(0, -1).map((piece) => piece.byteOffset - bytes.byteOffset + piece.length)}`,
      pieces,
    });
  }
  return splits;
}
