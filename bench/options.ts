/** The command line of the benchmark. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Settings } from './bench.ts';
import { allPeers } from './peers/all.ts';
import { allScenarios } from './scenarios/all.ts';

export interface Options extends Settings {
  readonly scenarios: readonly string[];
  readonly peers: readonly string[];
  /** Whether missing Node peers are installed. */
  readonly install: boolean;
  /** Whether results are written, and where. */
  readonly write: boolean;
  readonly out: string;
}

export const HELP = `Usage: npm run bench -- [options]

  --scenario NAME,...   ${allScenarios.map((each) => each.name).join(', ')} (default: all)
  --peers NAME,...      ${allPeers.map((each) => each.name).join(', ')} (default: all)
  --rounds N            rounds of each peer (default 5)
  --seconds N           seconds of a round (default 8)
  --warmup N            seconds of load before the first round (default 4)
  --quick               3 rounds of 4 seconds after 2 of warm-up
  --cores PROXY,CLIENT  the cores to pin to (default 0,1)
  --connections N       idle connections to hold, and twice the idle WebSockets (default 10000)
  --rate-limit N        the highest fixed rate of half-load in requests a second (default 20000)
  --out DIR             where results are written (default: bench/results)
  --against DIR         measure another built checkout of Portico too, as portico-other
  --no-write            only print
  --no-install          do not install missing Node peers
`;

function choose(given: string | undefined, known: readonly string[], kind: string): readonly string[] {
  if (given === undefined || given === 'all') return known;
  const names = given.split(',');
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`unknown ${kind} ${unknown.join(', ')}; known: ${known.join(', ')}`);
  return names;
}

function wholeNumber(given: string | undefined, fallback: number, name: string): number {
  const value = given === undefined ? fallback : Number(given);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} wants a whole number, not ${given}`);
  return value;
}

/** Reads the arguments; throws an error with a message for people when they make no sense. */
export function parseOptions(args: readonly string[], out: string): Options | 'help' {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: text,
      peers: text,
      rounds: text,
      seconds: text,
      warmup: text,
      cores: text,
      connections: text,
      'rate-limit': text,
      out: text,
      against: text,
      quick: flag,
      'no-write': flag,
      'no-install': flag,
      help: flag,
    },
  });
  if (values.help) return 'help';
  const [rounds, seconds, warmup] = values.quick ? [3, 4, 2] : [5, 8, 4];
  const [proxy, client] = (values.cores ?? '0,1').split(',');
  return {
    scenarios: choose(
      values.scenario,
      allScenarios.map((each) => each.name),
      'scenario',
    ),
    peers: choose(
      values.peers,
      allPeers.map((each) => each.name),
      'peer',
    ),
    rounds: wholeNumber(values.rounds, rounds, 'rounds'),
    seconds: wholeNumber(values.seconds, seconds, 'seconds'),
    warmup: wholeNumber(values.warmup, warmup, 'warmup'),
    cores: { proxy: wholeNumber(proxy, 0, 'cores'), client: wholeNumber(client, 1, 'cores') },
    idleConnections: wholeNumber(values.connections, 10_000, 'connections'),
    rateLimit: wholeNumber(values['rate-limit'], 20_000, 'rate-limit'),
    install: !values['no-install'],
    write: !values['no-write'],
    out: values.out ?? out,
    against: values.against === undefined ? undefined : resolve(values.against),
  };
}
