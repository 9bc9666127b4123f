/** A peer that runs on the proxy's core, set up for one scenario. */
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { ANSWER } from '../origin/origin.ts';
import type { CertificateFiles, Launch, Peer, PeerSetup, Protocol } from '../peers/peer.ts';
import { freePort, waitUntilServing } from './ports.ts';
import { memoryOf } from './process-tree.ts';
import type { Running } from './processes.ts';

export interface Subject {
  readonly peer: Peer;
  readonly version: string;
  readonly setup: PeerSetup;
  readonly launch: Launch;
  readonly running: Running;
  /** Bytes, shortly after the start and one request. */
  readonly memoryAtRest: number;
}

export interface SubjectOptions {
  readonly originPort: number;
  readonly upstreamConnections?: number;
  readonly clientConnections?: number;
  readonly routes?: number;
  /** HTTP/1.1 without TLS when not given. */
  readonly protocol?: Protocol;
  readonly certificate?: CertificateFiles;
}

/** The address of a path on the subject. */
export function urlOf(subject: Subject, path: string): string {
  return `${subject.setup.certificate === null ? 'http' : 'https'}://127.0.0.1:${subject.setup.port}${path}`;
}

export function writeFiles(subject: Pick<Subject, 'setup'>, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(subject.setup.directory, name), text);
}

/** Starts a peer and waits until it answers as the origin would; throws with its output when it does not. */
export async function startSubject(bench: Bench, peer: Peer, options: SubjectOptions): Promise<Subject> {
  const directory = join(bench.directory, `${peer.name}-${bench.nextId()}`);
  mkdirSync(directory);
  const routes = options.routes ?? 1;
  const setup: PeerSetup = {
    directory,
    port: await freePort(),
    adminPort: await freePort(),
    originPort: options.originPort,
    upstreamConnections: options.upstreamConnections ?? 128,
    clientConnections: options.clientConnections ?? 2048,
    routes,
    protocol: options.protocol ?? 'http/1.1',
    certificate: options.certificate ?? null,
  };
  const launch = peer.launch(setup);
  writeFiles({ setup }, launch.files);
  const running = bench.processes.start(launch.command, {
    core: bench.cores.proxy,
    cwd: launch.cwd ?? directory,
    environment: launch.environment,
  });
  try {
    const path = routes === 1 ? '/' : `/r${routes - 1}/items/42`;
    await waitUntilServing(running, setup.port, path, ANSWER, setup.protocol);
  } catch (error) {
    await bench.processes.stop(running);
    throw error;
  }
  const memoryAtRest = memoryOf(running.pid);
  return { peer, version: peer.version() ?? 'unknown', setup, launch, running, memoryAtRest };
}

/** Starts each peer in turn; one that does not start is told and left out. */
export async function startSubjects(
  bench: Bench,
  peers: readonly Peer[],
  options: SubjectOptions,
): Promise<{ subjects: Subject[]; notes: string[] }> {
  const subjects: Subject[] = [];
  const notes: string[] = [];
  for (const peer of peers) {
    try {
      subjects.push(await startSubject(bench, peer, options));
    } catch (error) {
      bench.say(`${peer.name} did not start: ${String(error)}`);
      notes.push(`${peer.name} did not start and is left out.`);
    }
  }
  return { subjects, notes };
}

export async function stopSubjects(bench: Bench, subjects: readonly Subject[]): Promise<void> {
  await Promise.all(subjects.map((subject) => bench.processes.stop(subject.running)));
}

/** The writer has the file open for appending, so an emptied log goes on from its start. */
export function emptyAccessLog(subject: Subject): void {
  if (subject.launch.accessLog === undefined) return;
  const file = join(subject.setup.directory, subject.launch.accessLog);
  if (existsSync(file)) truncateSync(file, 0);
}
