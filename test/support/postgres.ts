/** A PostgreSQL of its own for a test: Debian's programs, a temporary directory, a free port. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describeWith, freePort } from './services.ts';

/** PostgreSQL refuses to run as root: then it runs as nobody. */
const NOBODY = 65_534;

const debian = '/usr/lib/postgresql';
const installed = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
const places = [
  ...installed.map((version) => join(debian, version, 'bin')),
  ...(process.env.PATH ?? '').split(delimiter),
];
const programs = places.find((place) => existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres')));

/** `describe` where it is installed or required; Debian has its programs on no path. */
export function describeWithPostgres(): ReturnType<typeof describeWith> {
  return describeWith('PostgreSQL', programs !== undefined);
}

export interface TestPostgres {
  readonly url: string;
  /** Ends it; its data and its port stay, for `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  if (programs === undefined) throw new Error('PostgreSQL is not installed');
  const directory = mkdtempSync(join(tmpdir(), 'portico-postgres-'));
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ('uid' in user) chownSync(directory, NOBODY, NOBODY);
  const data = join(directory, 'data');
  const settings = ['-D', data, '-A', 'trust', '-U', 'portico', '--no-sync', '--no-locale', '-E', 'UTF8'];
  execFileSync(join(programs, 'initdb'), settings, { ...user, cwd: directory, stdio: 'ignore' });
  const port = await freePort();
  let end: (() => Promise<void>) | null = null;
  const postgres: TestPostgres = {
    url: `postgres://portico@127.0.0.1:${port}/postgres`,
    async start() {
      end ??= await run(join(programs, 'postgres'), data, directory, port, user);
    },
    async stop() {
      await end?.();
      end = null;
    },
    async close() {
      await postgres.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await postgres.start();
  return postgres;
}

/** Resolves when it takes connections; answers how it is ended. */
async function run(
  program: string,
  data: string,
  cwd: string,
  port: number,
  user: object,
): Promise<() => Promise<void>> {
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${cwd}`, 'fsync=off'];
  const child = spawn(program, ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...user,
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  let said = '';
  for await (const part of child.stderr) {
    said += part;
    if (!said.includes('ready to accept connections')) continue;
    return async () => {
      // Fast: who is connected is cut off.
      child.kill('SIGINT');
      await exit;
    };
  }
  throw new Error(`PostgreSQL ended: ${said}`);
}
