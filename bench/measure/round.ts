/** One round: one load on one subject, with what it cost the proxy. */
import type { Bench } from '../bench.ts';
import { BASELINE } from '../peers/all.ts';
import { cpuTimeOf, watchForeign, watchPeakMemory } from './process-tree.ts';
import { median } from './statistics.ts';
import type { Subject } from './subject.ts';
import { emptyAccessLog } from './subject.ts';
import { errorCount, type Load, runLoad } from './wrk.ts';

export interface Round {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Bytes that the client received. */
  readonly received: number;
  /** Seconds of load, as wrk measured them. */
  readonly seconds: number;
  /** CPU seconds of the proxy. */
  readonly cpu: number;
  /** CPU microseconds of the proxy for one request: the sum, and what of it was spent in user mode. */
  readonly cpuPerRequest: number;
  readonly userPerRequest: number;
  /** Latency in microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  /** Bytes: the most the proxy held while the load ran. */
  readonly peakMemory: number;
  /** Share of the time (0 to 1) that others than the proxy were busy on its core: how far to trust the round. */
  readonly foreign: number;
}

export async function measureRound(bench: Bench, subject: Subject, load: Load): Promise<Round> {
  const { pid } = subject.running;
  const memory = watchPeakMemory(pid, 250);
  const others = watchForeign(bench.cores.proxy, pid);
  const before = cpuTimeOf(pid);
  const result = await runLoad(bench, load);
  const after = cpuTimeOf(pid);
  const foreign = others.stop();
  const peakMemory = memory.stop();
  emptyAccessLog(subject);
  const user = after.user - before.user;
  const total = user + after.system - before.system;
  return {
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    received: result.bytes,
    seconds: result.seconds,
    cpu: total,
    cpuPerRequest: (total * 1e6) / result.requests,
    userPerRequest: (user * 1e6) / result.requests,
    p50: result.p50,
    p99: result.p99,
    errors: errorCount(result),
    peakMemory,
    foreign,
  };
}

/** Loads every subject once before anything is measured: caches, connections and compilers settle. */
export async function warmUp(
  bench: Bench,
  subjects: readonly Subject[],
  loadOf: (subject: Subject) => Load,
): Promise<void> {
  if (bench.settings.warmup === 0) return;
  for (const subject of subjects) {
    bench.say(`warm-up: ${subject.peer.name}`);
    await runLoad(bench, { ...loadOf(subject), seconds: bench.settings.warmup });
    emptyAccessLog(subject);
  }
}

/** Warm-up, then rounds in turn (A B C A B C ...), so that a change of the machine's speed meets all subjects alike. */
export async function alternate(
  bench: Bench,
  subjects: readonly Subject[],
  loadOf: (subject: Subject) => Load,
): Promise<Map<Subject, Round[]>> {
  await warmUp(bench, subjects, loadOf);
  const rounds = new Map<Subject, Round[]>(subjects.map((subject) => [subject, []]));
  for (let turn = 1; turn <= bench.settings.rounds; turn++) {
    for (const subject of subjects) {
      const round = await measureRound(bench, subject, loadOf(subject));
      rounds.get(subject)?.push(round);
      const cpu = round.cpuPerRequest.toFixed(2);
      const foreign = (round.foreign * 100).toFixed(0);
      bench.say(
        `round ${turn}/${bench.settings.rounds}: ${subject.peer.name}: ${cpu} us/request, others on its core ${foreign} %`,
      );
    }
  }
  return rounds;
}

/** The median over the rounds of one figure. */
export function middle(rounds: readonly Round[], figure: (round: Round) => number): number {
  return median(rounds.map(figure));
}

/** The median over the rounds of the ratio to the baseline's round of the same turn; NaN without a baseline. */
export function ratioToBaseline(
  rounds: ReadonlyMap<Subject, readonly Round[]>,
  subject: Subject,
  figure: (round: Round) => number,
  baselineName = BASELINE,
): number {
  const baseline = [...rounds].find(([each]) => each.peer.name === baselineName)?.[1];
  if (baseline === undefined) return Number.NaN;
  return median((rounds.get(subject) ?? []).map((round, turn) => figure(round) / figure(baseline[turn])));
}
