/** `portico status`: what a running gateway does at this moment. */
import { textOfFindings } from '../config/finding.ts';
import type { StatusPicture } from '../gateway/picture.ts';
import { callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, adminClient } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Tells what a running gateway does: its configuration, listeners, workers, routes and services.',
  details:
    'Also whether the file says what runs, how the last change ended if it failed, and which routes are quarantined. Exit status 1: no answer, or a refusal; so it is for all commands that ask a running gateway.',
  usage: '[--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...ADMIN_OPTIONS, { name: 'json', help: 'the whole status as one JSON object' }],
  async run(args, io) {
    const parsed = parseCommandArgs(statusCommand, args);
    const status = await callJson<StatusPicture>(await adminClient(statusCommand, parsed, io), 'GET', '/status');
    io.out(parsed.flag('json') ? `${JSON.stringify(status)}\n` : textOf(status));
    return 0;
  },
};

function textOf({ state, pid, generation, config, listeners, workers, routes, services }: StatusPicture): string {
  const lines = [`${state}, process ${pid}, generation ${generation}`];
  if (config !== undefined) {
    const { file, cause, at, diverged, lastReload } = config;
    lines.push(
      `configuration: ${file}, by ${cause}, since ${at}${diverged ? '; the file does not say what runs' : ''}`,
    );
    if (lastReload?.result === 'failure') {
      const findings = textOfFindings(lastReload.findings ?? []).trimEnd();
      const why = lastReload.error === undefined ? `\n${findings.replace(/^/gm, '  ')}` : ` ${lastReload.error}`;
      lines.push(`the last change failed: by ${lastReload.cause}, ${lastReload.at}:${why}`);
    }
  }
  for (const { name, address } of listeners) lines.push(`listener ${name}: ${address}`);
  lines.push(`workers: ${workers.map((worker) => `${worker.pid} ${worker.state}`).join(', ')}`);
  const quarantined = routes.filter((route) => route.state === 'quarantined');
  lines.push(`routes: ${routes.length}${quarantined.length === 0 ? '' : `, ${quarantined.length} quarantined`}`);
  for (const { name, reason } of quarantined) lines.push(`  ${name}: ${reason ?? 'quarantined'}`);
  lines.push(`services: ${services.length}`);
  for (const { name, endpoints } of services) {
    const down = endpoints.filter(({ healthy }) => !healthy).map(({ id }) => id);
    const up = endpoints.length - down.length;
    lines.push(`  ${name}: ${up} of ${endpoints.length} up${down.length === 0 ? '' : `, down: ${down.join(', ')}`}`);
  }
  return `${lines.join('\n')}\n`;
}
