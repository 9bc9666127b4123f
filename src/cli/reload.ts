/** `portico reload`: has a running gateway load its file anew, and tells how that ended. */
import { callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, adminClient } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';

export const reloadCommand: Command = {
  name: 'reload',
  summary: 'Has a running gateway load its file anew. Exit status 1: it was refused, and what ran runs on.',
  details: 'The findings of a refused file go to stderr.',
  usage: '[--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...ADMIN_OPTIONS, { name: 'json', help: 'the outcome as one JSON object' }],
  async run(args, io) {
    const parsed = parseCommandArgs(reloadCommand, args);
    const client = await adminClient(reloadCommand, parsed, io, '60s');
    const outcome = await callJson<{ changed: boolean; generation: number }>(client, 'POST', '/reload');
    const { changed, generation } = outcome;
    const text = changed ? `reloaded: generation ${generation}\n` : `nothing changed: generation ${generation}\n`;
    io.out(parsed.flag('json') ? `${JSON.stringify(outcome)}\n` : text);
    return 0;
  },
};
