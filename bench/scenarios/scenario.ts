/** What a scenario is to the harness. */
import type { Bench } from '../bench.ts';
import type { Round } from '../measure/round.ts';
import type { Subject } from '../measure/subject.ts';
import type { Protocol } from '../peers/peer.ts';
import type { Result } from '../report.ts';

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  /** What clients speak; only peers that speak it take part. HTTP/1.1 without TLS when not given. */
  readonly protocol?: Protocol;
  /** A program that the load needs beside wrk, and the package that has it. */
  readonly needs?: { readonly program: string; readonly debian: string };
  run(bench: Bench): Promise<Result>;
}

/** Above this share of foreign work on the proxy's core, absolute figures say little; ratios say more. */
const NOISE = 0.05;

/** Says so when others used more than a little of the proxy's core (`share` of the time, 0 to 1). */
export function remarkOnNoise(share: number): string[] {
  if (share <= NOISE) return [];
  return [
    `Not a quiet machine: others used up to ${Math.round(share * 100)} % of the proxy's core during a round. Trust the ratios before the figures, and latency least.`,
  ];
}

/** Remarks that every table of rounds needs: failed requests, and a machine that was not quiet. */
export function remarksOn(rounds: ReadonlyMap<Subject, readonly Round[]>): string[] {
  const remarks: string[] = [];
  let noisiest = 0;
  for (const [subject, own] of rounds) {
    const errors = own.reduce((sum, round) => sum + round.errors, 0);
    if (errors > 0) remarks.push(`${subject.peer.name}: ${errors} requests failed.`);
    for (const round of own) noisiest = Math.max(noisiest, round.foreign);
  }
  remarks.push(...remarkOnNoise(noisiest));
  return remarks;
}

/** The rounds under the peers' names, as the record keeps them. */
export function roundsByName(rounds: ReadonlyMap<Subject, readonly Round[]>): Record<string, readonly Round[]> {
  return Object.fromEntries([...rounds].map(([subject, own]) => [subject.peer.name, own]));
}
