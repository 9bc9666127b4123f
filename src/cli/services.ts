/** `portico services`: the services of a running gateway and how they fare. */
import type { StatusPicture } from '../gateway/picture.ts';
import { callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, adminClient } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';
import { table } from './table.ts';

export const servicesCommand: Command = {
  name: 'services',
  summary: 'Lists the services of a running gateway. Exit status 3: one of them has no endpoint that is up.',
  details: 'Numbers are those since the start of the gateway.',
  usage: '[--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...ADMIN_OPTIONS, { name: 'json', help: 'the list as one JSON object' }],
  async run(args, io) {
    const parsed = parseCommandArgs(servicesCommand, args);
    const client = await adminClient(servicesCommand, parsed, io);
    const { services } = await callJson<StatusPicture>(client, 'GET', '/status');
    const rows = services.map(({ name, endpoints }) => {
      const sum = (key: 'active' | 'requests' | 'failures'): number =>
        endpoints.reduce((total, endpoint) => total + endpoint[key], 0);
      const up = endpoints.filter(({ healthy }) => healthy).length;
      return {
        name,
        up,
        endpoints: endpoints.length,
        active: sum('active'),
        requests: sum('requests'),
        failures: sum('failures'),
      };
    });
    const cells = rows.map(({ name, up, endpoints, active, requests, failures }) => {
      return [name, `${up}/${endpoints}`, active, requests, failures];
    });
    const text = table([['service', 'up', 'active', 'requests', 'failures'], ...cells]);
    io.out(parsed.flag('json') ? `${JSON.stringify({ services: rows })}\n` : text);
    return rows.some(({ up }) => up === 0) ? 3 : 0;
  },
};
