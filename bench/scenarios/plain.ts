/** Small requests on kept-alive connections: what one request costs the proxy. */
import type { Bench } from '../bench.ts';
import { processTree } from '../measure/process-tree.ts';
import { alternate, middle, type Round, ratioToBaseline } from '../measure/round.ts';
import { spread } from '../measure/statistics.ts';
import { type Subject, startSubjects, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Load, loadCommand } from '../measure/wrk.ts';
import { startOrigin } from '../origin/origin.ts';
import { figure, mebibytes, type Result, recordSubject } from '../report.ts';
import { remarksOn, roundsByName, type Scenario } from './scenario.ts';

const HEADER = [
  'proxy',
  'CPU us/request',
  'of it user',
  'against nginx',
  'spread',
  'req/s',
  'p50 us',
  'p99 us',
  'MiB at rest',
  'MiB at most',
  'errors',
];

function row(rounds: ReadonlyMap<Subject, readonly Round[]>, subject: Subject): string[] {
  const own = rounds.get(subject) ?? [];
  const cpu = (round: Round): number => round.cpuPerRequest;
  return [
    subject.peer.name,
    figure(middle(own, cpu), 1),
    figure(
      middle(own, (round) => round.userPerRequest),
      1,
    ),
    figure(ratioToBaseline(rounds, subject, cpu), 2),
    `${figure(spread(own.map(cpu)) * 100)} %`,
    figure(middle(own, (round) => round.requestsPerSecond)),
    figure(middle(own, (round) => round.p50)),
    figure(middle(own, (round) => round.p99)),
    mebibytes(subject.memoryAtRest),
    mebibytes(Math.max(...own.map((round) => round.peakMemory))),
    figure(own.reduce((sum, round) => sum + round.errors, 0)),
  ];
}

async function run(bench: Bench, name: string, connections: number, upstreamConnections: number): Promise<Result> {
  const origin = await startOrigin(bench);
  const { subjects, notes } = await startSubjects(bench, bench.peers, { originPort: origin.port, upstreamConnections });
  const loadOf = (subject: Subject): Load => ({
    url: urlOf(subject, '/users/42'),
    connections,
    seconds: bench.settings.seconds,
  });
  const rounds = await alternate(bench, subjects, loadOf);
  const processes = Object.fromEntries(
    subjects.map(({ peer, running }) => [peer.name, processTree(running.pid).length]),
  );
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  return {
    scenario: name,
    description: `GET of 105 bytes of JSON, HTTP/1.1 keep-alive, ${connections} connections, up to ${upstreamConnections} connections to the origin.`,
    table: { header: HEADER, rows: subjects.map((subject) => row(rounds, subject)) },
    loads: subjects.map((subject) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(subject)).join(' ')}`),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      'CPU is user and system time of the proxy and all its processes, divided by the requests that wrk counted.',
      '"against nginx" is the median of the ratios to the nginx round of the same turn; "spread" is half the range of the rounds.',
      'req/s and latency are taken at full load, where client and origin share one core: a proxy cheaper than about 12 us is client-bound.',
      ...remarksOn(rounds),
      ...notes,
    ],
    data: { processes, rounds: roundsByName(rounds) },
  };
}

export function createPlain(name: string, connections: number, upstreamConnections: number): Scenario {
  return {
    name,
    summary: `105-byte JSON GET, ${connections} kept-alive connections`,
    run: (bench) => run(bench, name, connections, upstreamConnections),
  };
}
