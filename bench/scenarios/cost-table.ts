/** The table of scenarios that ask what one request, or one message, costs a proxy. */
import { middle, type Round, ratioToBaseline } from '../measure/round.ts';
import { spread } from '../measure/statistics.ts';
import type { Subject } from '../measure/subject.ts';
import { figure, mebibytes, type Table } from '../report.ts';

function row(rounds: ReadonlyMap<Subject, readonly Round[]>, subject: Subject, baseline?: string): string[] {
  const own = rounds.get(subject) ?? [];
  const cpu = (round: Round): number => round.cpuPerRequest;
  return [
    subject.peer.name,
    figure(middle(own, cpu), 1),
    figure(
      middle(own, (round) => round.userPerRequest),
      1,
    ),
    figure(ratioToBaseline(rounds, subject, cpu, baseline), 2),
    `${figure(spread(own.map(cpu)) * 100)} %`,
    figure(middle(own, (round) => round.requestsPerSecond)),
    figure(middle(own, (round) => round.p50)),
    figure(middle(own, (round) => round.p99)),
    mebibytes(subject.memoryAtRest),
    mebibytes(Math.max(...own.map((round) => round.peakMemory))),
    figure(own.reduce((sum, round) => sum + round.errors, 0)),
  ];
}

/** `unit` is what is counted, and `rate` how many of it a second are called; `baseline` is nginx but where it is named. */
export function costTable(
  rounds: ReadonlyMap<Subject, readonly Round[]>,
  unit = 'request',
  rate = 'req/s',
  baseline?: string,
): Table {
  const header = [
    'proxy',
    `CPU us/${unit}`,
    'of it user',
    `against ${baseline ?? 'nginx'}`,
    'spread',
    rate,
    'p50 us',
    'p99 us',
  ];
  return {
    header: [...header, 'MiB at rest', 'MiB at most', 'errors'],
    rows: [...rounds.keys()].map((subject) => row(rounds, subject, baseline)),
  };
}

export const COST_NOTE =
  '"against nginx" is the median of the ratios to the nginx round of the same turn; "spread" is half the range of the rounds.';
