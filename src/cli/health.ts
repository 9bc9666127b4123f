/** `portico health`: asks a running gateway whether it may have traffic, for the health checks of containers and for scripts. */
import { ADMIN_OPTIONS, adminClient, refusalOf, UnreachableError } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';

export const healthCommand: Command = {
  name: 'health',
  summary: 'Asks a running gateway whether it is ready for traffic. Exit status 1: it is not, or it cannot be reached.',
  details:
    'It asks `GET /readyz` of the admin listener, with `--live` `GET /livez` instead; neither needs the token. The address comes from the file even when there are errors elsewhere in it, since a gateway that refused to reload such a file runs on. `--json` prints `{ ok, url, status, message }`, with `status` null when no answer came.',
  usage: '[--live] [--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [
    { name: 'live', help: 'ask only whether it answers: a gateway that drains is alive and not ready' },
    ...ADMIN_OPTIONS,
    { name: 'json', help: 'the verdict as one JSON object' },
  ],
  async run(args, io) {
    const parsed = parseCommandArgs(healthCommand, args);
    const client = await adminClient(healthCommand, parsed, io);
    const live = parsed.flag('live');
    const path = live ? '/livez' : '/readyz';
    const url = `${client.base}${path}`;
    let verdict: Verdict;
    try {
      // Open to everybody, so that a health check needs no secret.
      const answer = await client.ask('GET', path, { open: true });
      if (answer.status === 200) verdict = { ok: true, url, status: 200, message: live ? 'alive' : 'ready' };
      else if (!live && answer.status === 503) verdict = { ok: false, url, status: 503, message: 'not ready' };
      else verdict = { ok: false, url, status: answer.status, message: refusalOf(answer) };
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      verdict = { ok: false, url, status: null, message: error.message };
    }
    if (parsed.flag('json')) io.out(`${JSON.stringify(verdict)}\n`);
    else if (verdict.ok) io.out(`${verdict.message}\n`);
    else io.error(`portico: ${verdict.message}\n`);
    return verdict.ok ? 0 : 1;
  },
};

interface Verdict {
  readonly ok: boolean;
  readonly url: string;
  /** Null when no answer came. */
  readonly status: number | null;
  readonly message: string;
}
