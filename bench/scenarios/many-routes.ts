/** Ten thousand routes: how long a start and a reload take, how long a reload makes requests wait, what a route holds. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { freePort } from '../measure/ports.ts';
import { memoryOf, processTree, watchForeign } from '../measure/process-tree.ts';
import type { Running } from '../measure/processes.ts';
import { median } from '../measure/statistics.ts';
import { type Origin, startOrigin } from '../origin/origin.ts';
import { figure, type Result } from '../report.ts';
import { type ManyRoutes, manyRoutes } from './many-routes-config.ts';
import { remarkOnNoise, type Scenario } from './scenario.ts';

const FEW = 10;
const MANY = 10_000;
const SERVICES = 100;
const WORKERS = [1, 2];
/** Requests a second, and connections. */
const RATE = 500;
const CONNECTIONS = 32;
/** Pause between two reloads, in milliseconds. */
const PAUSE = 500;
const PATIENCE = 60_000;
const HEADER = [
  'build',
  'workers',
  'start ms',
  `of ${FEW} routes`,
  'reload ms',
  'longest',
  'reloads',
  'p100 ms',
  'without reloads',
  'p99.9 ms',
  'without reloads',
  'failed',
  'KiB a route, RSS',
  'after reloads',
  'heap',
];

/** A build of Portico, and how many processes it is to have. */
interface Build {
  readonly name: string;
  readonly root: string;
  readonly workers: number;
}

interface Waits {
  readonly sent: number;
  readonly failed: number;
  readonly unanswered: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly worst: number;
  readonly rawWorst: number;
  readonly slept: number;
  readonly longestSleep: number;
}

interface Subject {
  readonly setup: ManyRoutes;
  readonly file: string;
  readonly probe: string;
  readonly running: Running;
  /** Milliseconds from the spawn to the line that says that it listens. */
  readonly startTime: number;
}

interface Size {
  /** Bytes of all its processes. */
  readonly resident: number;
  readonly heap: number;
}

/** Milliseconds until one of the lines that a process writes from now on holds the text. */
function untilLine(running: Running, text: string): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    let rest = '';
    const timer = setTimeout(() => reject(new Error(`no "${text}":\n${running.output()}`)), PATIENCE);
    const onData = (part: Buffer): void => {
      rest += part.toString('latin1');
      if (!rest.includes(text)) return;
      clearTimeout(timer);
      running.child.stdout?.off('data', onData);
      resolve(performance.now() - begun);
    };
    running.child.stdout?.on('data', onData);
    running.ended.then(() => reject(new Error(`ended:\n${running.output()}`)), reject);
  });
}

async function start(bench: Bench, origin: Origin, routes: number, { root, workers }: Build): Promise<Subject> {
  const directory = join(bench.directory, `many-routes-${bench.nextId()}`);
  mkdirSync(directory);
  const file = join(directory, 'portico.yaml');
  const setup: ManyRoutes = {
    routes,
    services: SERVICES,
    workers,
    port: await freePort(),
    adminPort: await freePort(),
    originPort: origin.port,
    turn: 0,
  };
  writeFileSync(file, manyRoutes(setup));
  const probe = join(directory, 'heap');
  const running = bench.processes.start([process.execPath, join(root, 'bin', 'portico.js'), 'start', '-c', file], {
    // A reload is work for a second core, also of one worker.
    core: `${bench.cores.proxy},${bench.cores.client}`,
    cwd: directory,
    environment: {
      NODE_ENV: 'production',
      HEAP_PROBE: probe,
      NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'measure', 'heap-probe.js')}`,
    },
  });
  // The admin listener is announced last.
  const startTime = await untilLine(running, '"listener":"admin"');
  return { setup, file, probe, running, startTime };
}

/** After the garbage of what went before is gone. */
async function sizeOf({ running, probe }: Subject): Promise<Size> {
  const resident = memoryOf(running.pid);
  const pids = processTree(running.pid);
  for (const pid of pids) process.kill(pid, 'SIGWINCH');
  await sleep(1500);
  const lines = existsSync(probe) ? readFileSync(probe, 'utf8').trim().split('\n') : [];
  const newest = new Map(lines.map((line) => line.split(' ').map(Number) as [number, number]));
  return { resident, heap: [...newest.values()].reduce((sum, bytes) => sum + bytes, 0) };
}

/** Changes the file and has it loaded; answers how long that took in milliseconds. */
async function reload(subject: Subject, turn: number): Promise<number> {
  writeFileSync(subject.file, manyRoutes({ ...subject.setup, turn }));
  const done = untilLine(subject.running, '"msg":"reloaded"');
  subject.running.child.kill('SIGHUP');
  return done;
}

async function waitsUnder(bench: Bench, { setup }: Subject, seconds: number): Promise<Waits> {
  const client = join(import.meta.dirname, '..', 'clients', 'steady.ts');
  // One second more: the client does not count its first.
  const args = [setup.port, RATE, seconds + 1, CONNECTIONS, '/users/42'].map(String);
  const output = await bench.processes.run([process.execPath, ...process.execArgv, client, ...args], {
    core: bench.cores.client,
  });
  const summary = /^SUMMARY (.*)$/m.exec(output);
  if (summary === null) throw new Error(`the client printed no summary:\n${output}`);
  return JSON.parse(summary[1]) as Waits;
}

interface Account {
  readonly build: Build;
  readonly starts: number[];
  readonly startsOfFew: number[];
  readonly reloads: number[];
  readonly quiet: Waits[];
  readonly during: Waits[];
  readonly few: Size;
  readonly atRest: Size;
  readonly afterReloads: Size;
  /** With few routes, after as many reloads. */
  readonly fewAfterReloads: Size;
  /** Share of the time in which others, the client not among them, used the first core. */
  readonly foreign: number;
}

async function measure(bench: Bench, origin: Origin, build: Build): Promise<Account> {
  const { rounds, seconds } = bench.settings;
  const starts: number[] = [];
  const startsOfFew: number[] = [];
  for (let round = 1; round < rounds; round++) {
    for (const [routes, times] of [
      [FEW, startsOfFew],
      [MANY, starts],
    ] as const) {
      const subject = await start(bench, origin, routes, build);
      times.push(subject.startTime);
      await bench.processes.stop(subject.running);
    }
  }
  const small = await start(bench, origin, FEW, build);
  startsOfFew.push(small.startTime);
  await waitsUnder(bench, small, 1);
  const few = await sizeOf(small);
  const subject = await start(bench, origin, MANY, build);
  starts.push(subject.startTime);
  await waitsUnder(bench, subject, 1);
  const atRest = await sizeOf(subject);
  const reloads: number[] = [];
  const quiet: Waits[] = [];
  const during: Waits[] = [];
  const others = watchForeign(bench.cores.proxy, subject.running.pid);
  for (let round = 1; round <= rounds; round++) {
    quiet.push(await waitsUnder(bench, subject, seconds));
    let over = false;
    const load = waitsUnder(bench, subject, seconds).finally(() => {
      over = true;
    });
    await sleep(1500);
    const end = performance.now() + (seconds - 1) * 1000;
    while (!over && performance.now() < end) {
      reloads.push(await reload(subject, reloads.length + 1));
      await sleep(PAUSE);
    }
    during.push(await load);
    const [before, now] = [quiet, during].map((list) => list[round - 1].worst.toFixed(1));
    bench.say(
      `${build.name}, ${build.workers} workers, round ${round}/${rounds}: worst ${now} ms, without reloads ${before} ms`,
    );
  }
  const foreign = others.stop();
  for (let turn = 1; turn <= reloads.length; turn++) await reload(small, turn);
  const afterReloads = await sizeOf(subject);
  const fewAfterReloads = await sizeOf(small);
  for (const { running } of [small, subject]) await bench.processes.stop(running);
  return { build, starts, startsOfFew, reloads, quiet, during, few, atRest, afterReloads, fewAfterReloads, foreign };
}

function row(account: Account): string[] {
  const { build, starts, startsOfFew, reloads, quiet, during, few, atRest, afterReloads, fewAfterReloads } = account;
  const highest = (waits: readonly Waits[], of: (each: Waits) => number): string =>
    figure(Math.max(...waits.map(of)), 1);
  const perRoute = (many: number, less: number): string => figure((many - less) / 1024 / (MANY - FEW), 1);
  return [
    build.name,
    String(build.workers),
    figure(median(starts)),
    figure(median(startsOfFew)),
    figure(median(reloads)),
    figure(Math.max(...reloads)),
    figure(reloads.length),
    highest(during, ({ worst }) => worst),
    highest(quiet, ({ worst }) => worst),
    highest(during, ({ p999 }) => p999),
    highest(quiet, ({ p999 }) => p999),
    figure([...quiet, ...during].reduce((sum, { failed, unanswered }) => sum + failed + unanswered, 0)),
    perRoute(atRest.resident, few.resident),
    perRoute(afterReloads.resident, fewAfterReloads.resident),
    perRoute(afterReloads.heap, fewAfterReloads.heap),
  ];
}

async function run(bench: Bench): Promise<Result> {
  const origin = await startOrigin(bench);
  const accounts: Account[] = [];
  const { against } = bench.settings;
  for (const workers of WORKERS) {
    const builds = [{ name: 'portico', root: join(import.meta.dirname, '..', '..'), workers }];
    if (against !== undefined) builds.unshift({ name: 'portico-other', root: against, workers });
    for (const build of builds) accounts.push(await measure(bench, origin, build));
  }
  await bench.processes.stop(origin.running);
  const asleep = Math.max(
    ...accounts.flatMap(({ quiet, during }) => [...quiet, ...during].map((each) => each.longestSleep)),
  );
  return {
    scenario: 'many-routes',
    description: `${figure(MANY)} routes of six kinds over ${SERVICES} services; ${RATE} requests a second over ${CONNECTIONS} connections to one route, for ${bench.settings.seconds} s with one reload after another (${PAUSE} ms between them) and as long without. The gateway, of one worker or of two with their supervisor, has both cores; the client runs on core ${bench.cores.client}.`,
    table: { header: HEADER, rows: accounts.map(row) },
    loads: [
      `taskset -c ${bench.cores.client} node bench/clients/steady.ts PORT ${RATE} ${bench.settings.seconds + 1} ${CONNECTIONS} /users/42`,
    ],
    subjects: [],
    notes: [
      `A start lasts from the spawn to the last \`listening\` line, a reload from the signal to the line \`reloaded\`; medians of ${bench.settings.rounds} starts and of all reloads.`,
      `p100 and p99.9 are the highest of all rounds. A wait begins when a request was due. What the client itself slept is taken off (at most ${figure(asleep, 1)} ms at once).`,
      ...remarkOnNoise(Math.max(...accounts.map(({ foreign }) => foreign))),
      ...(getPriority() === 0 ? [] : [`All of it ran at niceness ${getPriority()}.`]),
      `Memory is that of all processes less the same with ${FEW} routes, by route; "heap" is what is left of it after a collection, after as many reloads.`,
    ],
    data: accounts.map(({ build: { name, workers }, ...rest }) => ({ build: name, workers, ...rest })),
  };
}

export const manyRoutesScenario: Scenario = {
  name: 'many-routes',
  summary: `${MANY} routes: start, reload under load, memory`,
  run,
};
