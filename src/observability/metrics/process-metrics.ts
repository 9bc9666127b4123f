/** What the process itself costs: processor time, memory, start, and how late the event loop runs. */
import type { EventLoopLag } from '../event-loop-lag.ts';
import { createNumberFamily, type MetricFamily, SampledFamily } from './registry.ts';

/** What other processes of the same gateway cost, added up. */
export type OtherProcesses = () => { readonly cpuSeconds: number; readonly residentMemory: number };

const NO_OTHERS: OtherProcesses = () => ({ cpuSeconds: 0, residentMemory: 0 });

/** The families of the process, with those of `others`. `wall` is milliseconds since the Unix epoch. */
export function createProcessFamilies(
  version: string,
  lag: Pick<EventLoopLag, 'worst'>,
  wall: () => number,
  others = NO_OTHERS,
): MetricFamily[] {
  const startedAt = Math.round(wall() - process.uptime() * 1000) / 1000;
  return [
    createNumberFamily(
      {
        name: 'process_cpu_seconds_total',
        type: 'counter',
        help: 'User and system processor time spent, in seconds.',
      },
      () => cpuSeconds() + others().cpuSeconds,
    ),
    createNumberFamily(
      { name: 'process_resident_memory_bytes', type: 'gauge', help: 'Resident memory, in bytes.' },
      () => process.memoryUsage.rss() + others().residentMemory,
    ),
    createNumberFamily(
      { name: 'process_start_time_seconds', type: 'gauge', help: 'When the process started, in seconds since 1970.' },
      () => startedAt,
    ),
    createNumberFamily(
      {
        name: 'nodejs_eventloop_lag_seconds',
        type: 'gauge',
        help: 'The most that a timer came late within the last ten seconds, in seconds.',
      },
      () => lag.worst() / 1000,
    ),
    new SampledFamily(
      {
        name: 'portico_build_info',
        type: 'gauge',
        help: 'Always 1; the labels name the version of Portico and of Node.js.',
        labels: ['version', 'node'],
      },
      () => [{ labels: [version, process.versions.node], value: 1 }],
    ),
  ];
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
