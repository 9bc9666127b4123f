/** Latency that a proxy adds at half of what it can carry: requests come at a fixed rate, whether or not answers do. */
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { watchForeign } from '../measure/process-tree.ts';
import { measureRound, warmUp } from '../measure/round.ts';
import { median } from '../measure/statistics.ts';
import { type Subject, startSubjects, stopSubjects, urlOf } from '../measure/subject.ts';
import type { Load } from '../measure/wrk.ts';
import { startOrigin } from '../origin/origin.ts';
import { figure, type Result, recordSubject } from '../report.ts';
import { remarkOnNoise, type Scenario } from './scenario.ts';

const CONNECTIONS = 64;
const HEADER = [
  'proxy',
  'peak req/s',
  'rate',
  'reached',
  'p50 us',
  'p99 us',
  'direct p50',
  'direct p99',
  'added p50',
  'added p99',
  'failed',
];

interface Paced {
  readonly sent: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly achieved: number;
}

interface Rounds {
  readonly peak: number;
  readonly rate: number;
  readonly through: Paced[];
  readonly direct: Paced[];
}

async function sendPaced(bench: Bench, port: number, rate: number): Promise<Paced> {
  const client = join(import.meta.dirname, '..', 'clients', 'paced.ts');
  // One second more: the client does not count its first.
  const args = [port, rate, bench.settings.seconds + 1, CONNECTIONS].map(String);
  const command = [process.execPath, ...process.execArgv, client, ...args];
  const output = await bench.processes.run(command, { core: bench.cores.client, nice: 19 });
  const summary = /^SUMMARY (.*)$/m.exec(output);
  if (summary === null) throw new Error(`the paced client printed no summary:\n${output}`);
  return JSON.parse(summary[1]) as Paced;
}

function row(subject: Subject, rounds: Rounds): string[] {
  const through = (pick: (paced: Paced) => number): number => median(rounds.through.map(pick));
  const direct = (pick: (paced: Paced) => number): number => median(rounds.direct.map(pick));
  const added = (pick: (paced: Paced) => number): number =>
    median(rounds.through.map((each, turn) => pick(each) - pick(rounds.direct[turn])));
  const p50 = (paced: Paced): number => paced.p50;
  const p99 = (paced: Paced): number => paced.p99;
  return [
    subject.peer.name,
    figure(rounds.peak),
    figure(rounds.rate),
    figure(through((paced) => paced.achieved)),
    ...[through(p50), through(p99), direct(p50), direct(p99), added(p50), added(p99)].map((value) => figure(value)),
    figure(rounds.through.reduce((sum, paced) => sum + paced.failed, 0)),
  ];
}

async function run(bench: Bench): Promise<Result> {
  const origin = await startOrigin(bench);
  const { subjects, notes } = await startSubjects(bench, bench.peers, { originPort: origin.port });
  const loadOf = (subject: Subject): Load => ({
    url: urlOf(subject, '/users/42'),
    connections: CONNECTIONS,
    seconds: 2,
  });
  await warmUp(bench, subjects, loadOf);
  const all = new Map<Subject, Rounds>();
  for (const subject of subjects) {
    const peak = (await measureRound(bench, subject, loadOf(subject))).requestsPerSecond;
    const rate = Math.min(bench.settings.rateLimit, Math.round(peak / 2 / 100) * 100);
    all.set(subject, { peak, rate, through: [], direct: [] });
  }
  let noisiest = 0;
  for (let turn = 1; turn <= bench.settings.rounds; turn++) {
    for (const [subject, rounds] of all) {
      rounds.direct.push(await sendPaced(bench, origin.port, rounds.rate));
      const others = watchForeign(bench.cores.proxy, subject.running.pid);
      const paced = await sendPaced(bench, subject.setup.port, rounds.rate);
      noisiest = Math.max(noisiest, others.stop());
      rounds.through.push(paced);
      bench.say(
        `round ${turn}/${bench.settings.rounds}: ${subject.peer.name} at ${rounds.rate}/s: p50 ${paced.p50.toFixed(0)} us, p99 ${paced.p99.toFixed(0)} us`,
      );
    }
  }
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  return {
    scenario: 'half-load',
    description: `GET of 105 bytes of JSON at a fixed rate over ${CONNECTIONS} connections: half of the proxy's own peak, at most ${bench.settings.rateLimit} a second.`,
    table: { header: HEADER, rows: [...all].map(([subject, rounds]) => row(subject, rounds)) },
    loads: [...all].map(
      ([subject, { rate }]) =>
        `taskset -c ${bench.cores.client} nice -n 19 node bench/clients/paced.ts ${subject.setup.port} ${rate} ${bench.settings.seconds + 1} ${CONNECTIONS}`,
    ),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      "wrk cannot hold a rate: the client is a program of the benchmark, on the origin's core at the lowest priority.",
      'Latency counts from when a request was due, so that waiting for a free connection is part of it.',
      '"direct" is the same rate straight to the origin just before; "added" the difference, in microseconds.',
      'Rates differ between proxies: compare added latency only between those with the same rate.',
      ...remarkOnNoise(noisiest),
      ...notes,
    ],
    data: Object.fromEntries([...all].map(([subject, rounds]) => [subject.peer.name, rounds])),
  };
}

export const halfLoad: Scenario = { name: 'half-load', summary: 'added latency at a fixed rate', run };
