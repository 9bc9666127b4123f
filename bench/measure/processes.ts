/** The processes that one run starts: pinned to a core, and all ended with the run, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { processTree } from './process-tree.ts';

export interface Placement {
  /** The core, or list of cores, that the process and its children are bound to; any core when absent. */
  readonly core?: number | string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Added to the niceness: 19 gives way to everybody else on the core. */
  readonly nice?: number;
}

export interface Running {
  readonly pid: number;
  /** The last 8 KiB of what it wrote to both outputs. */
  output(): string;
  /** Settles with the exit code (128 for a signal) when it ends. */
  readonly ended: Promise<number>;
  readonly child: ChildProcess;
}

const KEPT_OUTPUT = 8192;
const GRACE_MS = 3000;

function pinned(command: readonly string[], placement: Placement): string[] {
  const prefix: string[] = [];
  if (placement.core !== undefined) prefix.push('taskset', '-c', String(placement.core));
  if (placement.nice !== undefined) prefix.push('nice', '-n', String(placement.nice));
  return [...prefix, ...command];
}

function endTree(root: number): void {
  // Children first would let a master process start them anew.
  for (const pid of processTree(root)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended between the look and the signal.
    }
  }
}

export class Processes {
  readonly #running = new Map<number, Running>();
  readonly #onExit = (): void => {
    for (const pid of this.#running.keys()) endTree(pid);
  };

  constructor() {
    process.once('exit', this.#onExit);
  }

  /** Starts a long-lived process; throws when the program does not exist. */
  start(command: readonly string[], placement: Placement = {}): Running {
    const [program, ...rest] = pinned(command, placement);
    const child = spawn(program, rest, {
      cwd: placement.cwd,
      env: { ...process.env, ...placement.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let kept = '';
    const onText = (text: Buffer): void => {
      kept = (kept + text.toString('utf8')).slice(-KEPT_OUTPUT);
    };
    child.stdout.on('data', onText);
    child.stderr.on('data', onText);
    const pid = child.pid;
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      // 'close' and not 'exit': the last output must have been read.
      child.once('close', (code) => {
        if (pid !== undefined) this.#running.delete(pid);
        resolve(code ?? 128);
      });
    });
    ended.catch(() => {});
    if (pid === undefined) throw new Error(`cannot start ${program}`);
    const running: Running = { pid, output: () => kept, ended, child };
    this.#running.set(pid, running);
    return running;
  }

  /** Runs a command to its end and returns what it printed; throws with the output when it fails. */
  async run(command: readonly string[], placement: Placement = {}): Promise<string> {
    const running = this.start(command, placement);
    const code = await running.ended;
    if (code !== 0) throw new Error(`${command[0]} ended with ${code}:\n${running.output()}`);
    return running.output();
  }

  /** Ends a process and its descendants: politely, then by force. */
  async stop(running: Running): Promise<void> {
    if (!this.#running.has(running.pid)) return;
    const timer = setTimeout(() => endTree(running.pid), GRACE_MS);
    running.child.kill('SIGTERM');
    await running.ended;
    clearTimeout(timer);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map((running) => this.stop(running)));
    process.removeListener('exit', this.#onExit);
  }
}
