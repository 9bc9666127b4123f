/** The known word that somebody most likely meant. */

/** What things are called elsewhere, or by other people, as `fold` has it. */
const OTHER_NAMES: Readonly<Partial<Record<string, string>>> = {
  http2: 'h2',
  'http/2': 'h2',
  'http/2.0': 'h2',
  http1: 'http/1.1',
  'http1.1': 'http/1.1',
  h1: 'http/1.1',
  passthrough: 'tls-passthrough',
};

/**
 * The candidate nearest to `word` by edit distance (insert, delete, replace, swap of neighbours), without regard to case;
 * undefined when none is near: more than a third of the longer word's letters would have to change, and
 * neither is the beginning of the other. Of equals the first.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  const plain = fold(word);
  const known = [...candidates];
  const meant = OTHER_NAMES[plain];
  if (meant !== undefined && known.includes(meant)) return meant;
  for (const candidate of known) {
    const other = fold(candidate);
    const limit = Math.max(1, Math.floor(Math.max(plain.length, other.length) / 3));
    const edits = Math.abs(plain.length - other.length) > limit ? limit + 1 : distance(plain, other);
    if (edits > limit && !isBeginning(plain, other)) continue;
    // A beginning only counts where nothing else is near.
    const found = edits > limit ? 1000 + Math.abs(plain.length - other.length) : edits;
    if (found < bestDistance) {
      best = candidate;
      bestDistance = found;
    }
  }
  return best;
}

/** The end of a sentence that refuses a word: what was likely meant, or nothing where nothing is near. */
export function didYouMean(suggestion: string | undefined): string {
  return suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
}

/** `warning` for `warn`, `conn` for `connections`; two letters begin too much. */
function isBeginning(one: string, other: string): boolean {
  return Math.min(one.length, other.length) > 2 && (one.startsWith(other) || other.startsWith(one));
}

/** Case and separators are what people forget most: `strip_prefix` is `stripPrefix`. */
function fold(word: string): string {
  return word.slice(0, 64).toLowerCase().replace(/[-_ ]/g, '');
}

/** Optimal string alignment distance; both words are at most 64 letters. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2] + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
