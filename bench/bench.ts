/** One run of the benchmark: where it works, what it may use, and how long it measures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Processes } from './measure/processes.ts';
import type { Peer } from './peers/peer.ts';

export interface Settings {
  readonly rounds: number;
  /** Seconds of load in one round of one peer. */
  readonly seconds: number;
  /** Seconds of load before the first round. */
  readonly warmup: number;
  readonly cores: { readonly proxy: number; readonly client: number };
  readonly idleConnections: number;
  /** Upper bound of the fixed rate in requests a second: above it the paced client itself would be the limit. */
  readonly rateLimit: number;
  /** Directory of another built checkout of Portico to measure beside this one. */
  readonly against?: string;
}

export interface Bench {
  readonly settings: Settings;
  readonly cores: Settings['cores'];
  /** Temporary; removed with everything in it at the end. */
  readonly directory: string;
  readonly processes: Processes;
  /** The peers asked for that are on this machine. */
  readonly peers: readonly Peer[];
  /** A number not given before: names of files and directories are made with it. */
  nextId(): number;
  /** Tells the person at the terminal how far the run is. */
  say(text: string): void;
  close(): Promise<void>;
}

export function createBench(settings: Settings, peers: readonly Peer[]): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'portico-bench-'));
  const processes = new Processes();
  let last = 0;
  return {
    settings,
    cores: settings.cores,
    directory,
    processes,
    peers,
    nextId: () => ++last,
    say: (text) => process.stderr.write(`${text}\n`),
    async close() {
      await processes.stopAll();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
