/** curl as a child process: a client that we did not write. */
import { execFile, spawnSync } from 'node:child_process';
import { PATIENCE } from './waiting.ts';

export const hasCurl: boolean = spawnSync('curl', ['--version'], { stdio: 'ignore' }).status === 0;

export interface CurlResult {
  /** curl's exit status: 0 when it took the answer for complete, 18 and 56 when it saw a cut. */
  exit: number;
  /** Of the last answer; 0 when there was none. */
  status: number;
  body: string;
  /** Heads received, 1xx included, as text. */
  heads: string;
}

/** Runs curl with the given arguments and, if any, bytes on its standard input. Never rejects for what curl says. */
export function curl(args: readonly string[], input?: string): Promise<CurlResult> {
  const fixed = ['--silent', '--max-time', String(PATIENCE / 1000), '--verbose', '--output', '-'];
  return new Promise((resolve) => {
    const options = { encoding: 'latin1', maxBuffer: 1 << 26 } as const;
    const child = execFile('curl', [...fixed, ...args], options, (error, stdout, stderr) => {
      const heads = [...stderr.matchAll(/^< (.*)$/gm)].map((match) => match[1].trimEnd()).join('\n');
      const statuses = [...heads.matchAll(/^HTTP\/1\.[01] ([0-9]{3})/gm)];
      const exit = error === null ? 0 : Number(error.code);
      resolve({ exit, status: Number(statuses.at(-1)?.[1] ?? 0), body: stdout, heads });
    });
    // curl may answer without having read it all.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '', 'latin1');
  });
}
