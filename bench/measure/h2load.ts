/** Runs h2load, the closed-loop load generator for HTTP/2, and reads what it counted. */
import type { Bench } from '../bench.ts';
import type { Load, LoadResult } from './wrk.ts';

/** The command as a reader would type it. */
export function h2loadCommand({ connections, streams, seconds, url }: Load): string[] {
  return ['h2load', '-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`, url];
}

function numbersAfter(output: string, label: string, pattern: RegExp): number[] {
  const line = output.split('\n').find((text) => text.startsWith(label));
  const found = line === undefined ? null : pattern.exec(line);
  if (found === null) throw new Error(`h2load printed no line of ${label}\n${output}`);
  return found.slice(1).map(Number);
}

/** Throws when h2load fails or does not sum up. It keeps no percentiles: those are NaN. */
export async function runH2load(bench: Bench, load: Load): Promise<LoadResult> {
  const output = await bench.processes.run(h2loadCommand(load), { core: bench.cores.client });
  const counted = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/;
  const [done, succeeded, , , timeout] = numbersAfter(output, 'requests:', counted);
  const [ok] = numbersAfter(output, 'status codes:', /(\d+) 2xx/);
  const [bytes] = numbersAfter(output, 'traffic:', /\((\d+)\) total/);
  return {
    requests: ok,
    bytes,
    // Told with few digits, but -D is kept to the microsecond.
    seconds: load.seconds,
    p50: Number.NaN,
    p99: Number.NaN,
    errors: { connect: 0, read: done - succeeded - timeout, write: 0, status: succeeded - ok, timeout },
  };
}
