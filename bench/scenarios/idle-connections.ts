/** What an idle client connection, or WebSocket, costs a proxy in memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { memoryOf } from '../measure/process-tree.ts';
import type { Running } from '../measure/processes.ts';
import { warmUp } from '../measure/round.ts';
import { type Subject, startSubject, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Origin, startEcho, startOrigin } from '../origin/origin.ts';
import type { Peer, Protocol } from '../peers/peer.ts';
import { figure, mebibytes, type Result, recordSubject } from '../report.ts';
import type { Scenario } from './scenario.ts';

const HEADER = ['proxy', 'held', 'KiB each', 'against nginx', 'MiB before', 'MiB with them', 'still held'];
/** Memory is read once allocators and collectors have calmed down. */
const CALM_MS = 3000;
/** Files a process needs beside the connections. */
const OTHER_FILES = 1500;

interface Kind {
  readonly name: string;
  readonly protocol: Protocol;
  /** What is held, in the words of the table. */
  readonly description: string;
  /** In bench/clients. */
  readonly client: string;
  /** How many there are for each of `--connections`. */
  readonly share: number;
  start(bench: Bench): Promise<Origin>;
}

interface Finding {
  readonly subject: Subject;
  readonly before: number;
  readonly after: number;
  readonly held: number;
  readonly stillHeld: number;
}

function fileLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}

function nextCount(client: Running): Promise<number> {
  return new Promise((resolve, reject) => {
    client.child.stdout?.once('data', (text: Buffer) => {
      const count = /HELD (\d+)/.exec(text.toString('latin1'))?.[1];
      if (count === undefined) reject(new Error(`unexpected output of the idle client: ${text}`));
      else resolve(Number(count));
    });
    client.ended.then((code) => reject(new Error(`the idle client ended with ${code}:\n${client.output()}`)), reject);
  });
}

async function measure(bench: Bench, peer: Peer, kind: Kind, originPort: number, wanted: number): Promise<Finding> {
  const subject = await startSubject(bench, peer, {
    originPort,
    clientConnections: wanted + 200,
    protocol: kind.protocol,
    // Each WebSocket has one of its own.
    ...(kind.protocol === 'websocket' ? { upstreamConnections: wanted + 200 } : {}),
  });
  await warmUp(bench, [subject], () => ({ url: urlOf(subject, '/users/42'), connections: 100, seconds: 2 }));
  await sleep(CALM_MS);
  const before = memoryOf(subject.running.pid);
  const program = join(import.meta.dirname, '..', 'clients', kind.client);
  const command = [process.execPath, ...process.execArgv, program, String(subject.setup.port), String(wanted)];
  const client = bench.processes.start(command, { core: bench.cores.client });
  const held = await nextCount(client);
  await sleep(CALM_MS);
  const after = memoryOf(subject.running.pid);
  client.child.stdin?.write('\n');
  const stillHeld = await nextCount(client);
  client.child.stdin?.end();
  await client.ended;
  await stopSubjects(bench, [subject]);
  bench.say(`${peer.name}: ${held} held, ${((after - before) / held / 1024).toFixed(1)} KiB each`);
  return { subject, before, after, held, stillHeld };
}

async function run(bench: Bench, kind: Kind): Promise<Result> {
  const files = (fileLimit() - OTHER_FILES) * kind.share;
  const wanted = Math.floor(Math.min(bench.settings.idleConnections * kind.share, files));
  const origin = await kind.start(bench);
  const findings: Finding[] = [];
  const notes: string[] = [];
  for (const peer of bench.peers) {
    try {
      findings.push(await measure(bench, peer, kind, origin.port, wanted));
    } catch (error) {
      bench.say(`${peer.name}: ${String(error)}`);
      notes.push(`${peer.name} could not be measured: ${String(error).split('\n')[0]}`);
    }
  }
  await bench.processes.stop(origin.running);
  const each = ({ before, after, held }: Finding): number => (after - before) / held / 1024;
  const baseline = findings.find(({ subject }) => subject.peer.name === 'nginx');
  return {
    scenario: kind.name,
    description: `${wanted} ${kind.description}, then all idle.`,
    client: `bench/clients/${kind.client}`,
    table: {
      header: HEADER,
      rows: findings.map((finding) => [
        finding.subject.peer.name,
        figure(finding.held),
        figure(each(finding), 1),
        figure(baseline === undefined ? Number.NaN : each(finding) / each(baseline), 1),
        mebibytes(finding.before),
        mebibytes(finding.after),
        figure(finding.stillHeld),
      ]),
    },
    loads: [`taskset -c ${bench.cores.client} node bench/clients/${kind.client} PORT ${wanted}`],
    subjects: findings.map(({ subject }) => recordSubject(bench, subject)),
    notes: [
      "Memory is that of all processes of the proxy, shared pages counted once; the kernel's socket buffers are in nobody's figure.",
      'One round each: "before" is after a warm-up of 100 connections and three calm seconds.',
      ...notes,
    ],
    data: findings.map(({ subject, ...rest }) => ({ proxy: subject.peer.name, ...rest })),
  };
}

function createIdle(kind: Kind, summary: string): Scenario {
  return { name: kind.name, summary, protocol: kind.protocol, run: (bench) => run(bench, kind) };
}

export const idleConnections = createIdle(
  {
    name: 'idle-connections',
    protocol: 'http/1.1',
    description: 'connections opened a hundred at a time, one request on each',
    client: 'idle.ts',
    share: 1,
    start: startOrigin,
  },
  'memory of an idle connection',
);

export const idleWebSockets = createIdle(
  {
    name: 'idle-websockets',
    protocol: 'websocket',
    description: 'WebSockets opened a hundred at a time, one message there and back on each',
    client: 'idle-web-sockets.ts',
    // Both of its sides are connections of the proxy.
    share: 0.5,
    start: startEcho,
  },
  'memory of an idle WebSocket',
);
