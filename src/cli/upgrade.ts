/** `portico upgrade`: has the program and the file on disk take over from a running gateway. */
import { callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, adminClient } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';

export const upgradeCommand: Command = {
  name: 'upgrade',
  summary:
    'Has the program and the file on disk take over from a running gateway without a lost request. Exit status 1: it stays.',
  details: 'As SIGUSR2 does, but it waits for the end and tells the reason when the successor could not start.',
  usage: '[--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...ADMIN_OPTIONS, { name: 'json', help: 'the outcome as one JSON object' }],
  async run(args, io) {
    const parsed = parseCommandArgs(upgradeCommand, args);
    const client = await adminClient(upgradeCommand, parsed, io, '90s');
    const outcome = await callJson<{ pid: number }>(client, 'POST', '/upgrade');
    io.out(parsed.flag('json') ? `${JSON.stringify(outcome)}\n` : `upgraded: process ${outcome.pid} serves\n`);
    return 0;
  },
};
