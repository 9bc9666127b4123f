/** A changed configuration every second under load: no request may be lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { fetchOnce } from '../measure/ports.ts';
import { memoryOf } from '../measure/process-tree.ts';
import { warmUp } from '../measure/round.ts';
import { type Subject, startSubjects, stopSubjects, urlOf, writeFiles } from '../measure/subject.ts';
import { type Load, type LoadResult, loadCommand, runLoad } from '../measure/wrk.ts';
import { startOrigin } from '../origin/origin.ts';
import { figure, mebibytes, type Result, recordSubject } from '../report.ts';
import type { Scenario } from './scenario.ts';

const CONNECTIONS = 64;
const EVERY_MS = 1000;
const HEADER = [
  'proxy',
  'reloads',
  'last one serves',
  'generations',
  'requests',
  'connect',
  'read',
  'write',
  'status',
  'timeout',
  'p99 us',
  'MiB after',
];

interface Finding {
  readonly subject: Subject;
  readonly reloads: number;
  /** Whether the configuration of the last reload answers: a signal that is ignored loses no request either. */
  readonly lastServes: boolean;
  /** How many generations the peer itself says it went through; NaN where it does not tell. */
  readonly generations: number;
  readonly memory: number;
  readonly result: LoadResult;
}

async function generationOf(subject: Subject): Promise<number> {
  try {
    return (await subject.launch.reload?.generation?.()) ?? Number.NaN;
  } catch {
    // Untold is not failed: the last configuration's own answer is the proof that counts.
    return Number.NaN;
  }
}

async function measure(bench: Bench, subject: Subject, load: Load): Promise<Finding> {
  const { reload } = subject.launch;
  if (reload === undefined) throw new Error(`${subject.peer.name} cannot reload`);
  const generation = await generationOf(subject);
  let turn = 0;
  // The last reload lies a second before the end of the load, so that its effects are counted too.
  const last = load.seconds - 1;
  const timer = setInterval(() => {
    if (turn === last) return;
    turn++;
    writeFiles(subject, reload.files(turn));
    subject.running.child.kill(reload.signal);
  }, EVERY_MS);
  let result: LoadResult;
  try {
    result = await runLoad(bench, load);
  } finally {
    clearInterval(timer);
  }
  await sleep(EVERY_MS);
  const { status } = await fetchOnce(subject.setup.port, `/turn-${turn}`);
  const generations = (await generationOf(subject)) - generation;
  return {
    subject,
    reloads: turn,
    lastServes: status === 204,
    generations,
    memory: memoryOf(subject.running.pid),
    result,
  };
}

function row({ subject, reloads, lastServes, generations, memory, result }: Finding): string[] {
  const { connect, read, write, status, timeout } = result.errors;
  return [
    subject.peer.name,
    figure(reloads),
    lastServes ? 'yes' : 'NO',
    figure(generations),
    ...[result.requests, connect, read, write, status, timeout, result.p99].map((value) => figure(value)),
    mebibytes(memory),
  ];
}

async function run(bench: Bench): Promise<Result> {
  const origin = await startOrigin(bench);
  const able = bench.peers.filter((peer) => peer.features.includes('reload'));
  const { subjects, notes } = await startSubjects(bench, able, { originPort: origin.port });
  const seconds = Math.max(5, bench.settings.seconds * 2);
  const loadOf = (subject: Subject): Load => ({ url: urlOf(subject, '/users/42'), connections: CONNECTIONS, seconds });
  await warmUp(bench, subjects, loadOf);
  const findings: Finding[] = [];
  for (const subject of subjects) {
    bench.say(`reloading ${subject.peer.name}`);
    try {
      findings.push(await measure(bench, subject, loadOf(subject)));
    } catch (error) {
      bench.say(`${subject.peer.name}: ${String(error)}\n${subject.running.output()}`);
      notes.push(`${subject.peer.name} FAILED: ${String(error).split('\n')[0]}`);
    }
  }
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  return {
    scenario: 'reload',
    description: `The plain request over ${CONNECTIONS} connections for ${seconds} s while the configuration changes every second: the route /turn-N is renamed, then the signal sent.`,
    table: { header: HEADER, rows: findings.map(row) },
    loads: findings.map(({ subject }) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(subject)).join(' ')}`),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      'connect, read, write, status, timeout: the errors that wrk counted; each must be 0.',
      'A proxy that gives its connections to a new process closes the idle ones; wrk opens them anew, and a request that crosses the close is a read error.',
      ...notes,
    ],
    data: findings.map(({ subject, ...rest }) => ({ proxy: subject.peer.name, ...rest })),
  };
}

export const reload: Scenario = { name: 'reload', summary: 'a reload every second under load', run };
