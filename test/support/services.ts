/** Other people's servers, started for a test on free ports of this machine and stopped after it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe } from 'vitest';

/** With every program at hand nothing may be skipped. */
export const REQUIRED = process.env.REQUIRE_SERVICES === '1';

const told = new Set<string>();

/**
 * `describe` where the program is here or required, and else a skip, which is said in one line: `REQUIRE_SERVICES=1` makes
 * the tests fail in its place.
 */
export function describeWith(program: string, isHere = isInstalled(program)): typeof describe | typeof describe.skip {
  if (REQUIRED || isHere) return describe;
  if (!told.has(program)) console.warn(`skipped: tests that need ${program}, which is not installed`);
  told.add(program);
  return describe.skip;
}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** A port that nobody listens on at this moment, and for which `also` holds. */
export async function freePort(also: (port: number) => boolean = () => true): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    if (also(port)) return port;
  }
}

/** A directory for a server's files, which goes with the test. */
export class Scratch {
  readonly path = mkdtempSync(join(tmpdir(), 'portico-service-'));

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Resolves when the program says that it serves; rejects with what it said when it ends before. */
export function untilSaid(child: ChildProcess, ready: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (ready.test(line)) resolve();
      else if (said.length < 50) said.push(line);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the program ended: ${said.join('\n')}`)));
  });
}

/** Ends a process of ours, and waits until it has. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  // One that was stopped does not hear of its end.
  child.kill('SIGCONT');
  await exited;
}

export function start(program: string, args: readonly string[], cwd: string): ChildProcess {
  return spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
}
