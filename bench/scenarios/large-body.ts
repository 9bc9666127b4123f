/** Large bodies down and up: CPU for a GiB, throughput, and how much of a body a proxy holds in memory. */
import type { Bench } from '../bench.ts';
import { alternate, middle, type Round, ratioToBaseline } from '../measure/round.ts';
import { type Subject, startSubjects, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Load, loadCommand } from '../measure/wrk.ts';
import { LARGE_BYTES, startOrigin, startSink } from '../origin/origin.ts';
import { figure, mebibytes, type Result, recordSubject } from '../report.ts';
import { remarksOn, roundsByName, type Scenario } from './scenario.ts';

const CONNECTIONS = 8;
const UPLOAD_BYTES = 8 * 2 ** 20;
const HEADER = ['proxy', 'CPU s/GiB', 'against nginx', 'MiB/s', 'MiB at rest', 'MiB at most', 'errors'];

interface Direction {
  readonly path: string;
  readonly script?: string;
  /** Body bytes of a round: what was received, or what was sent. */
  bytes(round: Round): number;
  readonly description: string;
}

const download: Direction = {
  path: '/large',
  bytes: (round) => round.received,
  description: `GET of ${LARGE_BYTES / 2 ** 20} MiB from a file of the origin, ${CONNECTIONS} connections.`,
};

const upload: Direction = {
  path: '/upload',
  script: `wrk.method = "POST"\nwrk.body = string.rep("0123456789abcdef", ${UPLOAD_BYTES / 16})`,
  bytes: (round) => round.requests * UPLOAD_BYTES,
  description: `POST of ${UPLOAD_BYTES / 2 ** 20} MiB to an origin that reads all of it before it answers, ${CONNECTIONS} connections.`,
};

function row(rounds: ReadonlyMap<Subject, readonly Round[]>, subject: Subject, direction: Direction): string[] {
  const own = rounds.get(subject) ?? [];
  const perGiB = (round: Round): number => round.cpu / (direction.bytes(round) / 2 ** 30);
  const perSecond = (round: Round): number => direction.bytes(round) / round.seconds;
  return [
    subject.peer.name,
    figure(middle(own, perGiB), 2),
    figure(ratioToBaseline(rounds, subject, perGiB), 2),
    mebibytes(middle(own, perSecond), 0),
    mebibytes(subject.memoryAtRest),
    mebibytes(Math.max(...own.map((round) => round.peakMemory))),
    figure(own.reduce((sum, round) => sum + round.errors, 0)),
  ];
}

async function run(bench: Bench, name: string, direction: Direction): Promise<Result> {
  const origin = direction === upload ? await startSink(bench) : await startOrigin(bench);
  const { subjects, notes } = await startSubjects(bench, bench.peers, { originPort: origin.port });
  const loadOf = (subject: Subject): Load => ({
    url: urlOf(subject, direction.path),
    connections: CONNECTIONS,
    seconds: bench.settings.seconds,
    script: direction.script,
  });
  const rounds = await alternate(bench, subjects, loadOf);
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  return {
    scenario: name,
    description: direction.description,
    table: { header: HEADER, rows: subjects.map((subject) => row(rounds, subject, direction)) },
    loads: subjects.map((subject) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(subject)).join(' ')}`),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      'MiB/s is bounded by wrk and the origin on their one core: CPU for a GiB is the figure to compare.',
      'An upload that had not been answered when the round ended is not counted, though its CPU is.',
      'Memory is that of all processes of the proxy, shared pages counted once, sampled four times a second.',
      ...remarksOn(rounds),
      ...notes,
    ],
    data: roundsByName(rounds),
  };
}

export const largeDownload: Scenario = {
  name: 'large-download',
  summary: download.description,
  run: (bench) => run(bench, 'large-download', download),
};

export const largeUpload: Scenario = {
  name: 'large-upload',
  summary: upload.description,
  run: (bench) => run(bench, 'large-upload', upload),
};
