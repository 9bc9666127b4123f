/** How long and from which seed the fuzz suites run. */
import { createRandom, type Random } from '../support/seeded-random.ts';

/** Seconds per suite; `FUZZ_SECONDS` changes it. */
const FUZZ_SECONDS = Number(process.env.FUZZ_SECONDS ?? 5);

/** Time limit for a test that runs a time box, in milliseconds. */
export const FUZZ_TIMEOUT = FUZZ_SECONDS * 1000 + 30_000;

/** `FUZZ_SEED`: a number to repeat a run, `random` for another one each time; without it every run is the same. */
function seed(): number {
  const wanted = process.env.FUZZ_SEED ?? '1';
  return wanted === 'random' ? Math.floor(Math.random() * 2 ** 32) : Number(wanted);
}

interface Fuzzed {
  seed: number;
  iterations: number;
}

/**
 * Calls `attempt` until the time is up, each time with a generator of its own, and stops at the first failure. The
 * failure says the seed of that very attempt: `FUZZ_SEED=<it> FUZZ_SECONDS=0` runs it alone.
 */
export async function fuzz(attempt: (random: Random) => string | null | Promise<string | null>): Promise<Fuzzed> {
  const first = seed();
  const end = performance.now() + FUZZ_SECONDS * 1000;
  let iterations = 0;
  do {
    const current = (first + iterations) >>> 0;
    const problem = await attempt(createRandom(current));
    if (problem !== null) throw new Error(`FUZZ_SEED=${current}: ${problem}`);
    iterations++;
  } while (performance.now() < end);
  return { seed: first, iterations };
}

/** Bytes as a line that can be pasted into a test. */
export function quote(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1'));
}
