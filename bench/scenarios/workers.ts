/**
 * Two workers against one, where the gateway and not the client is the limit: each request costs the gateway hundreds of
 * microseconds of matching and no upstream, so that the client, which shares a core with a worker, takes little of it. Two
 * gateways of one worker each, with nothing in common, show what the machine itself takes when both of its cores are busy.
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

/** Workers of each gateway, and how many such gateways there are. */
const SUBJECTS = [
  { name: '1 worker', count: 1, gateways: 1 },
  { name: '2 workers', count: 2, gateways: 1 },
  { name: '2 gateways of 1 worker', count: 1, gateways: 2 },
];
const CONNECTIONS = 64;
/** Conditions that fail before the one that holds: what makes a request dear. */
const CONDITIONS = 2000;
const HEADER = ['gateway', 'req/s', 'against 1', 'CPU us/request', 'against 1', 'cores busy', 'errors'];

interface Round {
  readonly rate: number;
  readonly cpuPerRequest: number;
  /** Processor time by wall time: how many cores the gateway had. */
  readonly busy: number;
  readonly errors: number;
}

interface Started {
  readonly running: Running;
  readonly load: Load;
}

interface Subject {
  readonly name: string;
  readonly gateways: readonly Started[];
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

async function startGateway(bench: Bench, count: number, connections: number, core: string): Promise<Started> {
  const directory = join(bench.directory, `workers-${count}-${bench.nextId()}`);
  mkdirSync(directory);
  const port = await freePort();
  writeFileSync(join(directory, 'portico.yaml'), configuration(count, port));
  const program = join(import.meta.dirname, '..', '..', 'bin', 'portico.js');
  const running = bench.processes.start([process.execPath, program, 'start', '-c', join(directory, 'portico.yaml')], {
    core,
    cwd: directory,
    environment: { NODE_ENV: 'production' },
  });
  await waitUntilServing(running, port, '/', 'ok');
  return { running, load: { url: `http://127.0.0.1:${port}/`, connections, seconds: bench.settings.seconds } };
}

async function start(bench: Bench, { name, count, gateways }: (typeof SUBJECTS)[number]): Promise<Subject> {
  const { proxy, client } = bench.cores;
  const started: Started[] = [];
  for (let at = 0; at < gateways; at++) {
    const core = count > 1 ? `${proxy},${client}` : [proxy, client][at];
    started.push(await startGateway(bench, count, CONNECTIONS / gateways, `${core}`));
  }
  return { name, gateways: started, rounds: [] };
}

function cpuOf({ gateways }: Subject): number {
  return gateways.reduce((sum, { running }) => {
    const { user, system } = cpuTimeOf(running.pid);
    return sum + user + system;
  }, 0);
}

async function measure(bench: Bench, subject: Subject): Promise<Round> {
  const before = cpuOf(subject);
  const results = await Promise.all(subject.gateways.map(({ load }) => runLoad(bench, load)));
  const cpu = cpuOf(subject) - before;
  const requests = results.reduce((sum, result) => sum + result.requests, 0);
  return {
    rate: results.reduce((sum, result) => sum + result.requests / result.seconds, 0),
    cpuPerRequest: (cpu * 1e6) / requests,
    busy: cpu / results[0].seconds,
    errors: results.reduce((sum, result) => sum + errorCount(result), 0),
  };
}

async function run(bench: Bench): Promise<Result> {
  const subjects: Subject[] = [];
  for (const wanted of SUBJECTS) subjects.push(await start(bench, wanted));
  for (const { gateways } of subjects) {
    for (const { load } of gateways) await runLoad(bench, { ...load, seconds: bench.settings.warmup });
  }
  for (let round = 1; round <= bench.settings.rounds; round++) {
    for (const subject of subjects) {
      subject.rounds.push(await measure(bench, subject));
      bench.say(`round ${round}: ${subject.name}: ${figure(subject.rounds.at(-1)?.rate ?? 0)} req/s`);
    }
  }
  const [base] = subjects;
  const ratio = (subject: Subject, of: (round: Round) => number): number =>
    median(subject.rounds.map((round, at) => of(round) / of(base.rounds[at])));
  const middle = (subject: Subject, of: (round: Round) => number): number => median(subject.rounds.map(of));
  for (const { gateways } of subjects) for (const { running } of gateways) await bench.processes.stop(running);
  return {
    scenario: 'workers',
    description: `GET of a static answer behind ${CONDITIONS} conditions, ${CONNECTIONS} connections. One worker is bound to core ${bench.cores.proxy}, two to both cores; wrk runs on core ${bench.cores.client}.`,
    table: {
      header: HEADER,
      rows: subjects.map((subject) => [
        subject.name,
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
    loads: subjects.flatMap(({ gateways }) =>
      gateways.map(({ load }) => `taskset -c ${bench.cores.client} ${loadCommand(load).join(' ')}`),
    ),
    subjects: [],
    notes: [
      '"cores busy" near the number of workers shows that the gateway was the limit: what is missing to 2 is the client, which shares a core with a worker.',
      'Two gateways with nothing in common have the cost of a request on this machine when both cores are busy: what two workers cost beyond them is theirs.',
      'On a machine of two cores the client takes its part of the second core, so the best that could be had is below 2.',
    ],
    data: subjects.map(({ name, rounds }) => ({ name, rounds })),
  };
}

export const workers: Scenario = {
  name: 'workers',
  summary: 'two workers against one, the client not being the limit',
  run,
};
