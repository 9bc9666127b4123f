/** Small requests on kept-alive connections: what one request costs the proxy, by what clients speak to it. */
import type { Bench } from '../bench.ts';
import { writeCertificate } from '../measure/certificate.ts';
import { processTree } from '../measure/process-tree.ts';
import { alternate } from '../measure/round.ts';
import { type Subject, startSubjects, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Load, loadCommand } from '../measure/wrk.ts';
import { startOrigin } from '../origin/origin.ts';
import type { Protocol } from '../peers/peer.ts';
import { type Result, recordSubject } from '../report.ts';
import { COST_NOTE, costTable } from './cost-table.ts';
import { remarksOn, roundsByName, type Scenario } from './scenario.ts';

interface Kind {
  readonly name: string;
  readonly connections: number;
  readonly upstreamConnections: number;
  readonly protocol: Exclude<Protocol, 'websocket'>;
  /** Of each connection, where the protocol has them. */
  readonly streams?: number;
}

const SPOKEN = {
  'http/1.1': 'HTTP/1.1 keep-alive',
  tls: 'HTTP/1.1 keep-alive over TLS 1.3 (ECDSA P-256)',
  h2: 'HTTP/2 over TLS 1.3 (ECDSA P-256)',
};

const COUNTED = {
  'http/1.1': [],
  tls: ['The handshakes are in the figure: one for each connection of a round, once.'],
  h2: ['The handshakes are in the figure, once for each connection of a round. h2load tells no percentiles.'],
};

async function run(bench: Bench, kind: Kind): Promise<Result> {
  const { name, connections, upstreamConnections, protocol, streams } = kind;
  const origin = await startOrigin(bench);
  const { subjects, notes } = await startSubjects(bench, bench.peers, {
    originPort: origin.port,
    upstreamConnections,
    protocol,
    ...(protocol === 'http/1.1' ? {} : { certificate: writeCertificate(bench) }),
  });
  const loadOf = (subject: Subject): Load => ({
    url: urlOf(subject, '/users/42'),
    connections,
    streams,
    seconds: bench.settings.seconds,
  });
  const rounds = await alternate(bench, subjects, loadOf);
  const processes = Object.fromEntries(
    subjects.map(({ peer, running }) => [peer.name, processTree(running.pid).length]),
  );
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  const multiplexed = streams === undefined ? '' : ` of ${streams} streams`;
  return {
    scenario: name,
    description: `GET of 105 bytes of JSON, ${SPOKEN[protocol]}, ${connections} connections${multiplexed}, up to ${upstreamConnections} connections to the origin (HTTP/1.1).`,
    ...(streams === undefined ? {} : { client: 'h2load' }),
    table: costTable(rounds),
    loads: subjects.map((subject) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(subject)).join(' ')}`),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      'CPU is user and system time of the proxy and all its processes, divided by the requests that the client counted.',
      COST_NOTE,
      'req/s and latency are taken at full load, where client and origin share one core: a proxy cheaper than about 12 us is client-bound.',
      ...COUNTED[protocol],
      ...remarksOn(rounds),
      ...notes,
    ],
    data: { processes, rounds: roundsByName(rounds) },
  };
}

export function createPlain(name: string, connections: number, upstreamConnections: number): Scenario {
  return {
    name,
    summary: `105-byte JSON GET, ${connections} kept-alive connections`,
    run: (bench) => run(bench, { name, connections, upstreamConnections, protocol: 'http/1.1' }),
  };
}

export const tls: Scenario = {
  name: 'tls',
  summary: '105-byte JSON GET over TLS 1.3, 64 kept-alive connections',
  protocol: 'tls',
  run: (bench) => run(bench, { name: 'tls', connections: 64, upstreamConnections: 128, protocol: 'tls' }),
};

export const h2: Scenario = {
  name: 'h2',
  summary: '105-byte JSON GET by HTTP/2 over TLS 1.3, 8 connections of 16 streams',
  protocol: 'h2',
  needs: { program: 'h2load', debian: 'nghttp2-client' },
  run: (bench) => run(bench, { name: 'h2', connections: 8, streams: 16, upstreamConnections: 128, protocol: 'h2' }),
};
