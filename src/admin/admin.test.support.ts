/** An admin listener before a gateway that is made up, and a client that may send what a browser or curl would not. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import type { HealthPicture, StatsPicture, StatusPicture } from '../gateway/picture.ts';
import { EventLog } from '../observability/events.ts';
import { type Admin, type AdminOptions, createAdmin } from './server.ts';
import type { AdminSource } from './source.ts';

export const STATUS: StatusPicture = {
  pid: 1,
  generation: 3,
  state: 'running',
  listeners: [{ name: 'public', address: '127.0.0.1:8080' }],
  workers: [{ pid: 1, state: 'running' }],
  routes: [{ name: 'a', state: 'active' }],
  services: [],
};

export const HEALTHY: HealthPicture = { status: 'healthy', total: 10, failed: 0, successRate: 100 };

export const STATS: StatsPicture = {
  active: 1,
  total: { requests: 0, failed: 0, successRate: 100, durations: null },
  routes: [],
  relays: {
    total: { active: 0, connections: 0, failed: 0, successRate: 100, ended: 0, bytesIn: 0, bytesOut: 0 },
    routes: [],
  },
};

export function sourceWith(changes: Partial<AdminSource> = {}): AdminSource {
  return {
    version: '1.2.3',
    ready: () => true,
    status: () => STATUS,
    stats: () => STATS,
    explain: () => null,
    explainConnection: () => null,
    events: new EventLog(systemClock),
    health: () => HEALTHY,
    metrics: () => 'up 1\n',
    ...changes,
  };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

const open: Admin[] = [];

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const admin of open.splice(0)) await admin.close();
}

export async function start(options: Partial<AdminOptions> = {}): Promise<number> {
  const admin = createAdmin({
    address: { host: '127.0.0.1', port: 0 },
    source: sourceWith(),
    logger: silentLogger,
    ...options,
  });
  open.push(admin);
  return (await admin.listen()).port;
}

export async function ask(
  port: number,
  path: string,
  options: RequestOptions = {},
  body?: string | Buffer,
): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, path, agent: false, ...options });
  sent.end(body);
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}
