/** Runs a load and reads what was counted: wrk, but for HTTP/2 and WebSockets, which it does not speak. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { h2loadCommand, runH2load } from './h2load.ts';
import { pingPongCommand, runPingPong } from './ping-pong.ts';

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Streams of each connection: HTTP/2, driven by h2load instead. */
  readonly streams?: number;
  /** WebSockets that send a message of so many bytes each time one comes back, instead of requests. */
  readonly messageBytes?: number;
  /** Lua put before the summary function: what to send when it is not a plain GET. */
  readonly script?: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly bytes: number;
  /** As measured by wrk, not as asked for. */
  readonly seconds: number;
  /** Latency in microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly errors: {
    readonly connect: number;
    readonly read: number;
    readonly write: number;
    readonly status: number;
    readonly timeout: number;
  };
}

/** wrk's own text rounds its figures; this prints them whole. */
const SUMMARY = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'SUMMARY {"requests":%d,"bytes":%.0f,"seconds":%.6f,"p50":%d,"p99":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
`;

/** The command as a reader would type it, without the summary script. */
export function loadCommand(load: Load): string[] {
  if (load.streams !== undefined) return h2loadCommand(load);
  if (load.messageBytes !== undefined) return pingPongCommand(load);
  return ['wrk', '-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--timeout', '10s', load.url];
}

/** Runs one load on the client core; throws when the client fails or prints no summary. */
export async function runLoad(bench: Bench, load: Load): Promise<LoadResult> {
  if (load.streams !== undefined) return runH2load(bench, load);
  if (load.messageBytes !== undefined) return runPingPong(bench, load);
  const script = join(bench.directory, `load-${bench.nextId()}.lua`);
  writeFileSync(script, `${load.script ?? ''}\n${SUMMARY}`);
  const command = loadCommand(load);
  const output = await bench.processes.run([...command.slice(0, -1), '-s', script, load.url], {
    core: bench.cores.client,
  });
  const summary = /^SUMMARY (.*)$/m.exec(output);
  if (summary === null) throw new Error(`wrk printed no summary:\n${output}`);
  return JSON.parse(summary[1]) as LoadResult;
}

/** Requests that wrk could not finish or that were answered with anything but 2xx and 3xx. */
export function errorCount(result: LoadResult): number {
  const { connect, read, write, status, timeout } = result.errors;
  return connect + read + write + status + timeout;
}
