/** What a result must say about the machine it was measured on. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly wrk: string;
  readonly h2load: string;
  readonly origin: string;
}

/** The first match of `pattern` in what a program prints when asked its version; undefined when it is not there. */
export function versionOf(command: readonly string[], pattern: RegExp): string | undefined {
  try {
    // wrk and nginx print it to standard error, and wrk fails while doing so: the shell joins both and hides the status.
    const script = '"$@" 2>&1; exit 0';
    const text = execFileSync('sh', ['-c', script, 'sh', ...command], { encoding: 'utf8', timeout: 20_000 });
    return pattern.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/** Whether there is a program of this name. */
export function isInstalled(program: string): boolean {
  return versionOf(['command', '-v', program], /(.)/) !== undefined;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    wrk: versionOf(['wrk', '-v'], /^wrk (\S+)/m) ?? 'missing',
    h2load: versionOf(['h2load', '--version'], /nghttp2\/(\S+)/) ?? 'missing',
    origin: `nginx ${versionOf(['nginx', '-v'], /nginx\/(\S+)/) ?? 'missing'}`,
  };
}
