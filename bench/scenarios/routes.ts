/** What a route costs: memory for each, and the CPU of a request as the number of routes grows. */
import type { Bench } from '../bench.ts';
import { memoryOf } from '../measure/process-tree.ts';
import { alternate, middle, type Round } from '../measure/round.ts';
import { median } from '../measure/statistics.ts';
import { type Subject, startSubject, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Load, loadCommand } from '../measure/wrk.ts';
import { startOrigin } from '../origin/origin.ts';
import { figure, mebibytes, type Result, recordSubject } from '../report.ts';
import { remarksOn, type Scenario } from './scenario.ts';

const SIZES = [10, 1000, 10_000];
const CONNECTIONS = 64;
const HEADER = [
  'proxy',
  'routes',
  'CPU us/request',
  'against 10 routes',
  'MiB at rest',
  'KiB a route',
  'req/s',
  'errors',
];

/** Sends to some hundred routes in turn, spread over all of them (997 is prime: every size is walked through). */
function script(routes: number): string {
  return `local requests = {}
local turn = 0
init = function(args)
  for i = 0, 996 do
    requests[i + 1] = wrk.format('GET', '/r' .. ((i * 7919) % ${routes}) .. '/items/42')
  end
end
request = function()
  turn = turn % 997 + 1
  return requests[turn]
end`;
}

function loadOf(bench: Bench, subject: Subject): Load {
  return {
    url: urlOf(subject, '/'),
    connections: CONNECTIONS,
    seconds: bench.settings.seconds,
    script: script(subject.setup.routes),
  };
}

function rowsOf(subjects: readonly Subject[], rounds: ReadonlyMap<Subject, readonly Round[]>): string[][] {
  const [smallest] = subjects;
  const base = rounds.get(smallest) ?? [];
  return subjects.map((subject) => {
    const own = rounds.get(subject) ?? [];
    const more = subject.setup.routes - smallest.setup.routes;
    return [
      subject.peer.name,
      figure(subject.setup.routes),
      figure(
        middle(own, (round) => round.cpuPerRequest),
        1,
      ),
      figure(median(own.map((round, turn) => round.cpuPerRequest / base[turn].cpuPerRequest)), 2),
      mebibytes(subject.memoryAtRest),
      more === 0 ? '-' : figure((subject.memoryAtRest - smallest.memoryAtRest) / 1024 / more, 2),
      figure(middle(own, (round) => round.requestsPerSecond)),
      figure(own.reduce((sum, round) => sum + round.errors, 0)),
    ];
  });
}

async function run(bench: Bench): Promise<Result> {
  const origin = await startOrigin(bench);
  const rows: string[][] = [];
  const notes: string[] = [];
  const loads: string[] = [];
  const everyRound = new Map<Subject, Round[]>();
  for (const peer of bench.peers.filter((each) => each.features.includes('routes'))) {
    const subjects: Subject[] = [];
    try {
      for (const routes of SIZES) subjects.push(await startSubject(bench, peer, { originPort: origin.port, routes }));
      const rounds = await alternate(bench, subjects, (subject) => loadOf(bench, subject));
      for (const [subject, own] of rounds) everyRound.set(subject, own);
      rows.push(...rowsOf(subjects, rounds));
      loads.push(
        ...subjects.map(
          (subject) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(bench, subject)).join(' ')}`,
        ),
      );
    } catch (error) {
      bench.say(`${peer.name}: ${String(error)}`);
      notes.push(`${peer.name} could not be measured: ${String(error).split('\n')[0]}`);
    }
    for (const subject of subjects)
      bench.say(
        `${peer.name}, ${subject.setup.routes} routes: ${memoryOf(subject.running.pid) >> 20} MiB after the load`,
      );
    await stopSubjects(bench, subjects);
  }
  await bench.processes.stop(origin.running);
  return {
    scenario: 'routes',
    description: `The plain request over ${CONNECTIONS} connections, to 997 paths spread over all routes; each route is a prefix of its own, all lead to one origin.`,
    table: { header: HEADER, rows },
    loads: [...loads, '', `# with this script, here for ${SIZES[0]} routes:`, script(SIZES[0])],
    subjects: [...everyRound.keys()]
      .filter(({ setup }) => setup.routes === SIZES[0])
      .map((subject) => recordSubject(bench, subject)),
    notes: [
      'nginx has a location for each route, haproxy a line of a map file, Portico a route.',
      'Memory is taken after the start and one request; the figure for a route is the growth over the smallest size.',
      ...remarksOn(everyRound),
      ...notes,
    ],
    data: [...everyRound].map(([subject, rounds]) => ({
      proxy: subject.peer.name,
      routes: subject.setup.routes,
      rounds,
    })),
  };
}

export const routes: Scenario = { name: 'routes', summary: `${SIZES.join(', ')} routes: memory and match cost`, run };
