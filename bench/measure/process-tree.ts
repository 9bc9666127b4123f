/** What the kernel says about a process and its descendants: CPU time spent and memory held. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc/PID/stat: USER_HZ, which Linux fixes at 100 on every machine Node runs on. */
const TICKS_PER_SECOND = 100;

export interface CpuTime {
  /** Seconds in user mode. */
  readonly user: number;
  /** Seconds in the kernel. */
  readonly system: number;
}

interface Stat {
  readonly parent: number;
  readonly userTicks: number;
  readonly systemTicks: number;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function readStat(pid: number): Stat | undefined {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  // The name in parentheses may itself hold spaces and parentheses: fields are counted from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return undefined;
  return {
    parent: Number(fields[1]),
    // Own time and that of children already reaped, so that a worker which a reload replaced still counts.
    userTicks: Number(fields[11]) + Number(fields[13]),
    systemTicks: Number(fields[12]) + Number(fields[14]),
  };
}

/** The process and all its living descendants, parents first. */
export function processTree(root: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readStat(pid);
    if (stat === undefined) continue;
    const siblings = childrenOf.get(stat.parent);
    if (siblings === undefined) childrenOf.set(stat.parent, [pid]);
    else siblings.push(pid);
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) tree.push(...(childrenOf.get(tree[i]) ?? []));
  return tree;
}

/** CPU seconds that the process, its descendants and its reaped children have used so far. */
export function cpuTimeOf(root: number): CpuTime {
  let user = 0;
  let system = 0;
  for (const pid of processTree(root)) {
    const stat = readStat(pid);
    user += stat?.userTicks ?? 0;
    system += stat?.systemTicks ?? 0;
  }
  return { user: user / TICKS_PER_SECOND, system: system / TICKS_PER_SECOND };
}

function kibibytes(text: string, name: string): number {
  const line = text.indexOf(`\n${name}:`);
  return line < 0 ? 0 : Number.parseInt(text.slice(line + name.length + 2), 10);
}

/**
 * Memory of the process and its descendants in bytes: what they hold of their own, where pages that forked workers share
 * count once, and the program's file pages once. Plain proportional shares would not do: a program's share shrinks
 * with every unrelated process that runs the same binary, as the Node peers do.
 */
export function memoryOf(root: number): number {
  let own = 0;
  let file = 0;
  for (const pid of processTree(root)) {
    const shares = readOrEmpty(`/proc/${pid}/smaps_rollup`);
    own += kibibytes(shares, 'Pss_Anon') + kibibytes(shares, 'Pss_Shmem');
    file = Math.max(file, kibibytes(readOrEmpty(`/proc/${pid}/status`), 'RssFile'));
  }
  return (own + file) * 1024;
}

/** Seconds that a core has spent busy (everything but idle and waiting for a disk) since boot. */
function busySecondsOf(core: number): number {
  const line =
    readOrEmpty('/proc/stat')
      .split('\n')
      .find((text) => text.startsWith(`cpu${core} `)) ?? '';
  const ticks = line.split(' ').slice(1).map(Number);
  // user nice system idle iowait irq softirq steal
  return (
    ((ticks[0] ?? 0) + (ticks[1] ?? 0) + (ticks[2] ?? 0) + (ticks[5] ?? 0) + (ticks[6] ?? 0) + (ticks[7] ?? 0)) /
    TICKS_PER_SECOND
  );
}

/** Samples the memory of a process tree until stopped; `stop` returns the highest value seen, in bytes. */
export function watchPeakMemory(root: number, everyMs = 100): { stop(): number } {
  let peak = memoryOf(root);
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryOf(root));
  }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      return Math.max(peak, memoryOf(root));
    },
  };
}

/** Watches how busy others than the process tree keep a core; `stop` returns their share of the time, 0 to 1. */
export function watchForeign(core: number, root: number): { stop(): number } {
  const started = performance.now();
  const busy = busySecondsOf(core);
  const own = cpuTimeOf(root);
  return {
    stop() {
      const now = cpuTimeOf(root);
      const spent = now.user + now.system - own.user - own.system;
      const elapsed = (performance.now() - started) / 1000;
      return Math.max(0, (busySecondsOf(core) - busy - spent) / elapsed);
    },
  };
}
