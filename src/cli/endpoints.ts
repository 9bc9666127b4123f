/** `portico endpoints`: the endpoints of a service of a running gateway; drains them, and takes them back or out. */
import { call, callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, adminClient } from './admin-client.ts';
import { type Command, parseCommandArgs, UsageError } from './command.ts';
import { table } from './table.ts';

interface EndpointPicture {
  readonly id: string;
  readonly weight: number;
  readonly drain: boolean;
  readonly registered: boolean;
  readonly healthy: boolean;
  readonly active: number;
  readonly requests: number;
  readonly failures: number;
}

/** What can be done with an endpoint: its method and path. */
const ACTIONS: Readonly<Record<string, readonly [method: string, path: string]>> = {
  drain: ['POST', '/drain'],
  enable: ['POST', '/enable'],
  remove: ['DELETE', ''],
};

export const endpointsCommand: Command = {
  name: 'endpoints',
  summary: 'Lists the endpoints of a service of a running gateway; drains one, takes it back, or takes it out.',
  details:
    '`drain`, `enable` and `remove` change the configuration, which needs `admin.writes: true`; endpoints that registered themselves are drained and removed without it. The list that is printed is the one afterwards.',
  usage: 'SERVICE [drain | enable | remove ID] [--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...ADMIN_OPTIONS, { name: 'json', help: 'the list as one JSON object' }],
  positionals: 3,
  async run(args, io) {
    const parsed = parseCommandArgs(endpointsCommand, args);
    const [service, verb, id] = parsed.positionals;
    const action = verb === undefined ? null : ACTIONS[verb];
    if (service === undefined || action === undefined || (action !== null && id === undefined)) {
      throw new UsageError(`usage: portico endpoints ${endpointsCommand.usage}`, endpointsCommand);
    }
    const client = await adminClient(endpointsCommand, parsed, io, '60s');
    const path = `/services/${encodeURIComponent(service)}/endpoints`;
    if (action !== null) {
      const [method, rest] = action;
      await call(client, method, `${path}/${encodeURIComponent(id)}${rest}`);
    }
    const answer = await callJson<{ endpoints: EndpointPicture[] }>(client, 'GET', path);
    const rows = answer.endpoints.map((endpoint) => {
      const state = [endpoint.healthy ? 'up' : 'down', ...(endpoint.drain ? ['drained'] : [])].join(', ');
      const from = endpoint.registered ? 'registered' : 'configured';
      return [endpoint.id, state, endpoint.weight, from, endpoint.active, endpoint.requests, endpoint.failures];
    });
    const text = table([['endpoint', 'state', 'weight', 'from', 'active', 'requests', 'failures'], ...rows]);
    io.out(parsed.flag('json') ? `${JSON.stringify(answer)}\n` : text);
    return 0;
  },
};
