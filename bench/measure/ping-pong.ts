/** Runs the program that has WebSockets play ping-pong, and reads what it counted. */
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { Load, LoadResult } from './wrk.ts';

interface Summary {
  readonly messages: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

function settingsOf({ url, connections, messageBytes, seconds }: Load): string[] {
  return [new URL(url).port, String(connections), String(messageBytes), String(seconds)];
}

/** The command as a reader would type it. */
export function pingPongCommand(load: Load): string[] {
  return ['node', 'bench/clients/ping-pong.ts', ...settingsOf(load)];
}

/** `requests` are messages that went there and came back; throws when the program fails or prints no summary. */
export async function runPingPong(bench: Bench, load: Load): Promise<LoadResult> {
  const program = join(import.meta.dirname, '..', 'clients', 'ping-pong.ts');
  const command = [process.execPath, ...process.execArgv, program, ...settingsOf(load)];
  const output = await bench.processes.run(command, { core: bench.cores.client });
  const found = /^SUMMARY (.*)$/m.exec(output);
  if (found === null) throw new Error(`the ping-pong client printed no summary:\n${output}`);
  const { messages, seconds, p50, p99, failed } = JSON.parse(found[1]) as Summary;
  return {
    requests: messages,
    bytes: messages * (load.messageBytes ?? 0),
    seconds,
    p50,
    p99,
    errors: { connect: 0, read: failed, write: 0, status: 0, timeout: 0 },
  };
}
