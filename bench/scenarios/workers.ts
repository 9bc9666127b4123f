/**
 * Two workers against one, where the gateway and not the client is the limit: each request costs the gateway some sixty
 * microseconds of matching and no upstream, so that the client, which shares a core with a worker, takes little of it.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { freePort, waitUntilServing } from '../measure/ports.ts';
import { cpuTimeOf } from '../measure/process-tree.ts';
import type { Running } from '../measure/processes.ts';
import { median } from '../measure/statistics.ts';
import { errorCount, type Load, loadCommand, runLoad } from '../measure/wrk.ts';
import { figure, type Result } from '../report.ts';
import type { Scenario } from './scenario.ts';

const COUNTS = [1, 2];
const CONNECTIONS = 64;
/** Conditions that fail before the one that holds: what makes a request dear. */
const CONDITIONS = 400;
const HEADER = ['workers', 'req/s', 'against 1', 'CPU us/request', 'against 1', 'cores busy', 'errors'];

interface Round {
  readonly rate: number;
  readonly cpuPerRequest: number;
  /** Processor time by wall time: how many cores the gateway had. */
  readonly busy: number;
  readonly errors: number;
}

interface Subject {
  readonly count: number;
  readonly running: Running;
  readonly load: Load;
  readonly rounds: Round[];
}

function configuration(count: number, port: number): string {
  const conditions = Array.from({ length: CONDITIONS }, (_, i) => `{ headers: { x-condition-${i}: "1" } }`);
  return `version: 1
workers: ${count}
listeners: [{ name: public, address: 127.0.0.1:${port} }]
admin: false
shutdown: { drain: 10ms, timeout: 1s }
logging: { level: warn, access: false }
routes:
  - name: dear
    match: { pathPrefix: /, any: [${conditions.join(', ')}, { pathPrefix: / }] }
    respond: { status: 200, body: ok }
`;
}

async function start(bench: Bench, count: number): Promise<Subject> {
  const directory = join(bench.directory, `workers-${count}-${bench.nextId()}`);
  mkdirSync(directory);
  const port = await freePort();
  writeFileSync(join(directory, 'portico.yaml'), configuration(count, port));
  const program = join(import.meta.dirname, '..', '..', 'bin', 'portico.js');
  const running = bench.processes.start([process.execPath, program, 'start', '-c', join(directory, 'portico.yaml')], {
    core: count === 1 ? bench.cores.proxy : `${bench.cores.proxy},${bench.cores.client}`,
    cwd: directory,
    environment: { NODE_ENV: 'production' },
  });
  await waitUntilServing(running, port, '/', 'ok');
  const load = { url: `http://127.0.0.1:${port}/`, connections: CONNECTIONS, seconds: bench.settings.seconds };
  return { count, running, load, rounds: [] };
}

async function measure(bench: Bench, { running, load }: Subject): Promise<Round> {
  const before = cpuTimeOf(running.pid);
  const result = await runLoad(bench, load);
  const after = cpuTimeOf(running.pid);
  const cpu = after.user + after.system - before.user - before.system;
  return {
    rate: result.requests / result.seconds,
    cpuPerRequest: (cpu * 1e6) / result.requests,
    busy: cpu / result.seconds,
    errors: errorCount(result),
  };
}

async function run(bench: Bench): Promise<Result> {
  const subjects: Subject[] = [];
  for (const count of COUNTS) subjects.push(await start(bench, count));
  for (const subject of subjects) await runLoad(bench, { ...subject.load, seconds: bench.settings.warmup });
  for (let round = 1; round <= bench.settings.rounds; round++) {
    for (const subject of subjects) {
      subject.rounds.push(await measure(bench, subject));
      bench.say(`round ${round}: ${subject.count} workers: ${figure(subject.rounds.at(-1)?.rate ?? 0)} req/s`);
    }
  }
  const [base] = subjects;
  const ratio = (subject: Subject, of: (round: Round) => number): number =>
    median(subject.rounds.map((round, at) => of(round) / of(base.rounds[at])));
  const middle = (subject: Subject, of: (round: Round) => number): number => median(subject.rounds.map(of));
  for (const { running } of subjects) await bench.processes.stop(running);
  return {
    scenario: 'workers',
    description: `GET of a static answer behind ${CONDITIONS} conditions, ${CONNECTIONS} connections. One worker is bound to core ${bench.cores.proxy}, two to both cores; wrk runs on core ${bench.cores.client}.`,
    table: {
      header: HEADER,
      rows: subjects.map((subject) => [
        String(subject.count),
        figure(middle(subject, ({ rate }) => rate)),
        figure(
          ratio(subject, ({ rate }) => rate),
          2,
        ),
        figure(
          middle(subject, ({ cpuPerRequest }) => cpuPerRequest),
          1,
        ),
        figure(
          ratio(subject, ({ cpuPerRequest }) => cpuPerRequest),
          2,
        ),
        figure(
          middle(subject, ({ busy }) => busy),
          2,
        ),
        figure(subject.rounds.reduce((sum, { errors }) => sum + errors, 0)),
      ]),
    },
    loads: subjects.map(({ load }) => `taskset -c ${bench.cores.client} ${loadCommand(load).join(' ')}`),
    subjects: [],
    notes: [
      '"cores busy" near the number of workers shows that the gateway was the limit: what is missing to 2 is the client, which shares a core with a worker.',
      'On a machine of two cores the client takes its part of the second core, so the best that could be had is below 2.',
    ],
    data: subjects.map(({ count, rounds }) => ({ count, rounds })),
  };
}

export const workers: Scenario = {
  name: 'workers',
  summary: 'two workers against one, the client not being the limit',
  run,
};
