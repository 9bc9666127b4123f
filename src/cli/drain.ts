/** `portico drain`: has a running gateway stop, serving what is under way. */
import { callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, adminClient } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';

export const drainCommand: Command = {
  name: 'drain',
  summary:
    'Has a running gateway stop as SIGTERM does: not ready at once, serving for `shutdown.drain`, and then gone.',
  usage: '[--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...ADMIN_OPTIONS, { name: 'json', help: 'the outcome as one JSON object' }],
  async run(args, io) {
    const parsed = parseCommandArgs(drainCommand, args);
    const outcome = await callJson<{ state: string }>(await adminClient(drainCommand, parsed, io), 'POST', '/drain');
    io.out(parsed.flag('json') ? `${JSON.stringify(outcome)}\n` : `${outcome.state}\n`);
    return 0;
  },
};
