/** `portico config`: shows and changes what a running gateway runs. */
import { resolve } from 'node:path';
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import type { Change, ChangeSummary } from '../config/plan/change.ts';
import { call, callJson, type Payload } from './admin-call.ts';
import { ADMIN_OPTIONS, type AdminClient, adminClient } from './admin-client.ts';
import { type Command, type CommandIo, type ParsedArgs, parseCommandArgs, UsageError } from './command.ts';
import { readConfig } from './config-file.ts';
import { textOfChanges } from './plan-text.ts';
import { table } from './table.ts';

export const configCommand: Command = {
  name: 'config',
  summary: 'Shows what a running gateway runs, puts a file in its place, and goes back to what ran before.',
  details:
    '`get` prints what is written, comments included; with `--json` as JSON. `put` sends the file as it is: references are filled in by the gateway, with its environment and its files. `history` lists what ran, with the generations that `rollback` takes. `--dry-run` changes nothing and prints what `portico plan` would. Exit status 1: refused, with its findings.',
  usage:
    '(get | put FILE | history | rollback GENERATION) [--dry-run] [--if-match ETAG] [--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [
    { name: 'dry-run', help: 'only tell what would change; exit status 2: something would' },
    {
      name: 'if-match',
      value: 'ETAG',
      help: 'only when the running configuration has this tag, as `config history` shows it',
    },
    ...ADMIN_OPTIONS,
    { name: 'json', help: 'the answer as one JSON object; for `get`, the configuration as JSON' },
  ],
  positionals: 2,
  async run(args, io) {
    const parsed = parseCommandArgs(configCommand, args);
    const [verb, operand] = parsed.positionals;
    const action = VERBS[verb ?? ''];
    if (action === undefined || (operand === undefined) === action.operand) {
      throw new UsageError(`usage: portico config ${configCommand.usage}`, configCommand);
    }
    return action.run(await adminClient(configCommand, parsed, io, '60s'), operand ?? '', parsed, io);
  },
};

interface Verb {
  readonly operand: boolean;
  run(client: AdminClient, operand: string, parsed: ParsedArgs, io: CommandIo): Promise<number>;
}

interface Kept {
  readonly generation: number;
  readonly at: string;
  readonly cause: string;
  readonly etag: string;
}

const VERBS: Readonly<Record<string, Verb>> = {
  get: {
    operand: false,
    async run(client, _, parsed, io) {
      const accept = parsed.flag('json') ? 'application/json' : 'application/yaml';
      io.out((await call(client, 'GET', '/config', { headers: { accept } })).body);
      return 0;
    },
  },
  put: {
    operand: true,
    run: async (client, file, parsed, io) => change(client, 'PUT', '/config', await payloadOf(file, io), parsed, io),
  },
  history: {
    operand: false,
    async run(client, _, parsed, io) {
      const answer = await callJson<{ history: Kept[] }>(client, 'GET', '/config/history');
      const rows = answer.history.map(({ generation, at, cause, etag }) => [generation, at, cause, etag]);
      const text = table([['generation', 'since', 'by', 'etag'], ...rows]);
      io.out(parsed.flag('json') ? `${JSON.stringify(answer)}\n` : text);
      return 0;
    },
  },
  rollback: {
    operand: true,
    async run(client, generation, parsed, io) {
      if (!/^[1-9][0-9]{0,14}$/.test(generation)) throw new UsageError('a generation is a number', configCommand);
      return change(client, 'POST', `/config/rollback/${generation}`, null, parsed, io);
    },
  },
};

interface Planned {
  readonly changes: readonly Change[];
  readonly summary: ChangeSummary;
}

async function change(
  client: AdminClient,
  method: string,
  path: string,
  payload: Payload | null,
  parsed: ParsedArgs,
  io: CommandIo,
): Promise<number> {
  const tag = parsed.text('if-match');
  const headers: Record<string, string> = tag === undefined ? {} : { 'if-match': quoted(tag) };
  const options = payload === null ? { headers } : { headers, payload };
  if (parsed.flag('dry-run')) {
    const planned = await callJson<Planned>(client, method, `${path}?dryRun=true`, options);
    io.out(parsed.flag('json') ? `${JSON.stringify(planned)}\n` : textOfChanges(planned.changes));
    return planned.changes.length === 0 ? 0 : 2;
  }
  const done = await callJson<{ changed: boolean; generation: number }>(client, method, path, options);
  const text = done.changed
    ? `generation ${done.generation} runs\n`
    : `nothing changed: generation ${done.generation}\n`;
  io.out(parsed.flag('json') ? `${JSON.stringify(done)}\n` : text);
  return 0;
}

/** An entity tag as RFC 9110 section 8.8.3 writes it; shells take its quotes away. */
function quoted(tag: string): string {
  return tag === '*' || tag.includes('"') ? tag : `"${tag}"`;
}

/** What to send for a file. The gateway checks it: references are filled in where it runs. */
export async function payloadOf(file: string, io: CommandIo): Promise<Payload> {
  const { source, findings } = await readConfig(resolve(io.cwd, file), io);
  if (source === null) throw new OperatorError(`${file} cannot be read\n${textOfFindings(findings)}`.trimEnd());
  return { mediaType: source.format === 'json' ? 'application/json' : 'application/yaml', text: source.text };
}
