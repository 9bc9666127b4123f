/** The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B), decoded four bits at a time. */

/**
 * Bits of the code of each octet, and of the end of string last. The code is canonical: codes of one length follow each
 * other in the order of their symbols, so that the lengths are the whole table.
 */
// biome-ignore format: sixteen to a line, as octets are
export const HUFFMAN_LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const END_OF_STRING = 256;
const LONGEST = 30;

// An entry of the table: the next state in the low octet, a symbol in the next one, and these.
const EMITS = 1 << 16;
const FAILS = 1 << 17;

interface Machine {
  /** For each state and four bits, what follows. */
  readonly steps: Int32Array;
  /** 1 for states in which a string may end: fewer than eight bits, all of them set, since the last symbol. */
  readonly final: Uint8Array;
}

const { steps, final } = createMachine();

/** Inner nodes of the tree by number, from the root at 0; a child below zero is the leaf of symbol `-1 - child`. */
function createTree(): number[][] {
  const nodes: number[][] = [[0, 0]];
  let code = 0;
  for (let length = 1; length <= LONGEST; length++, code *= 2) {
    for (let symbol = 0; symbol <= END_OF_STRING; symbol++) {
      if (HUFFMAN_LENGTHS[symbol] !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const way = (code >>> bit) & 1;
        if (nodes[node][way] === 0) nodes[node][way] = nodes.push([0, 0]) - 1;
        node = nodes[node][way];
      }
      nodes[node][code & 1] = -1 - symbol;
      code++;
    }
  }
  return nodes;
}

function createMachine(): Machine {
  const nodes = createTree();
  const machine: Machine = { steps: new Int32Array(nodes.length * 16), final: new Uint8Array(nodes.length) };
  for (let state = 0; state < nodes.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) machine.steps[state * 16 + nibble] = stepOf(nodes, state, nibble);
  }
  for (let depth = 0, node = 0; depth < 8; depth++, node = nodes[node][1]) machine.final[node] = 1;
  return machine;
}

/** No code is shorter than five bits: four of them end one symbol at most. */
function stepOf(nodes: readonly number[][], state: number, nibble: number): number {
  let node = state;
  let symbol = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = nodes[node][(nibble >> bit) & 1];
    if (child >= 0) {
      node = child;
      continue;
    }
    // The end of string must not be in one.
    if (child === -1 - END_OF_STRING) return FAILS;
    symbol = EMITS | ((-1 - child) << 8);
    node = 0;
  }
  return node | symbol;
}

/** Octets that `length` octets of code become at most: the shortest codes have five bits. */
export function mostDecoded(length: number): number {
  return Math.ceil((length * 8) / 5);
}

/**
 * Decodes `code[start, end)` into `into` from `at` on, where there must be room for `mostDecoded`. Answers where it ended; -1
 * where the code is none: the end of string in it, or a padding that is too long or has other bits than that.
 */
export function decodeHuffman(code: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  let state = 0;
  for (let i = start; i < end; i++) {
    const octet = code[i];
    const first = steps[(state << 4) | (octet >> 4)];
    if ((first & EMITS) !== 0) into[at++] = first >> 8;
    const second = steps[((first & 0xff) << 4) | (octet & 15)];
    if (((first | second) & FAILS) !== 0) return -1;
    if ((second & EMITS) !== 0) into[at++] = second >> 8;
    state = second & 0xff;
  }
  return final[state] === 1 ? at : -1;
}
