/** `portico keys`: makes API keys, lists, shows, revokes and rotates them, in the key store of a running gateway. */
import type { KeyPicture } from '../gateway/key-desk.ts';
import { call, callJson } from './admin-call.ts';
import { ADMIN_OPTIONS, type AdminClient, adminClient } from './admin-client.ts';
import { type Command, type CommandIo, type ParsedArgs, parseCommandArgs, UsageError } from './command.ts';
import { table } from './table.ts';

const OWN_OPTIONS: Command['options'] = [
  { name: 'consumer', value: 'NAME', help: 'on whose account the new key is; of `list`, whose keys are shown' },
  { name: 'name', value: 'TEXT', help: 'of `create`: what people call it' },
  { name: 'scope', value: 'SCOPE', repeated: true, help: 'of `create`: what it may be used for; may be given again' },
  { name: 'tier', value: 'TIER', help: 'of `create`: one of `tiers`; by default its consumer’s' },
  { name: 'expires-in', value: 'DURATION', help: 'of `create`: how long it is good, such as 30d; by default for ever' },
  {
    name: 'metadata',
    value: 'NAME=VALUE',
    repeated: true,
    help: 'of `create`: a claim, for conditions; may be given again',
  },
  { name: 'state', value: 'STATE', help: 'of `list`: only those that are active, inactive, expired or revoked' },
  {
    name: 'overlap',
    value: 'DURATION',
    help: 'of `rotate`: how long the old key is good beside the new one; default 1h',
  },
];

export const keysCommand: Command = {
  name: 'keys',
  summary: 'Makes API keys in the store of a running gateway, lists, shows, revokes and rotates them.',
  details:
    'A key is printed by `create` and `rotate`, this once: the store has only its digest. Keys that stand in the configuration are listed and shown too, and are changed there. Exit status 1: refused, or the store cannot be used.',
  usage:
    '(create --consumer NAME | list | show ID | revoke ID | rotate ID) [--name TEXT] [--scope SCOPE]... [--tier TIER] [--expires-in DURATION] [--metadata NAME=VALUE]... [--state STATE] [--overlap DURATION] [--admin URL] [-c FILE] [--timeout DURATION] [--json]',
  options: [...OWN_OPTIONS, ...ADMIN_OPTIONS, { name: 'json', help: 'the answer as one JSON object' }],
  positionals: 2,
  async run(args, io) {
    const parsed = parseCommandArgs(keysCommand, args);
    const [verb, id] = parsed.positionals;
    const action = Object.hasOwn(VERBS, verb ?? '') ? VERBS[verb] : undefined;
    if (action === undefined || (id !== undefined) !== action.takesId) {
      throw new UsageError(`usage: portico keys ${keysCommand.usage}`, keysCommand);
    }
    for (const { name, repeated } of OWN_OPTIONS) {
      const isGiven = repeated === true ? parsed.list(name).length > 0 : parsed.text(name) !== undefined;
      if (isGiven && !action.options.includes(name)) {
        throw new UsageError(`keys ${verb} has no option "--${name}"`, keysCommand);
      }
    }
    const wish = action.prepare?.(parsed);
    return action.run(await adminClient(keysCommand, parsed, io, '10s'), { id: id ?? '', wish, parsed, io });
  },
};

interface Call {
  readonly id: string;
  /** What `prepare` made of the options. */
  readonly wish: unknown;
  readonly parsed: ParsedArgs;
  readonly io: CommandIo;
}

interface Verb {
  readonly takesId: boolean;
  readonly options: readonly string[];
  /** Throws UsageError before anybody is asked. */
  prepare?(parsed: ParsedArgs): unknown;
  run(client: AdminClient, call: Call): Promise<number>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  create: {
    takesId: false,
    options: ['consumer', 'name', 'scope', 'tier', 'expires-in', 'metadata'],
    prepare: wishOf,
    run: (client, call) => make(client, '/keys', call.wish, call),
  },
  list: {
    takesId: false,
    options: ['consumer', 'state'],
    async run(client, { parsed, io }) {
      const keys = await listAll(client, parsed);
      const rows = keys.map((key) => [
        key.id,
        key.consumer,
        key.name || '-',
        key.declared ? `${key.state}, declared` : key.state,
        key.tier ?? '-',
        key.scopes.join(' ') || '-',
        key.expiresAt ?? 'never',
        key.lastUsedAt ?? 'never',
      ]);
      const text = table([['id', 'consumer', 'name', 'state', 'tier', 'scopes', 'expires', 'last used'], ...rows]);
      io.out(parsed.flag('json') ? `${JSON.stringify({ keys })}\n` : text);
      return 0;
    },
  },
  show: {
    takesId: true,
    options: [],
    async run(client, { id, parsed, io }) {
      print(await callJson<KeyPicture>(client, 'GET', pathOf(id)), parsed, io);
      return 0;
    },
  },
  revoke: {
    takesId: true,
    options: [],
    async run(client, { id, parsed, io }) {
      await call(client, 'POST', `${pathOf(id)}/revoke`);
      io.out(parsed.flag('json') ? `${JSON.stringify({ id, state: 'revoked' })}\n` : `${id} is revoked\n`);
      return 0;
    },
  },
  rotate: {
    takesId: true,
    options: ['overlap'],
    run(client, { id, ...call }) {
      const overlap = call.parsed.text('overlap');
      return make(client, `${pathOf(id)}/rotate`, overlap === undefined ? {} : { overlap }, { id, ...call });
    },
  },
};

function pathOf(id: string): string {
  return `/keys/${encodeURIComponent(id)}`;
}

function wishOf(parsed: ParsedArgs): object {
  const consumer = parsed.text('consumer');
  if (consumer === undefined) throw new UsageError('keys create needs --consumer', keysCommand);
  const [name, tier, expiresIn] = [parsed.text('name'), parsed.text('tier'), parsed.text('expires-in')];
  const metadata = parsed.list('metadata').map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new UsageError('--metadata takes NAME=VALUE', keysCommand);
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  return {
    consumer,
    scopes: parsed.list('scope'),
    metadata: Object.fromEntries(metadata),
    ...(name === undefined ? {} : { name }),
    ...(tier === undefined ? {} : { tier }),
    ...(expiresIn === undefined ? {} : { expiresIn }),
  };
}

async function make(client: AdminClient, path: string, wish: unknown, { parsed, io }: Call): Promise<number> {
  const payload = { mediaType: 'application/json', text: JSON.stringify(wish) };
  const made = await callJson<KeyPicture & { key: string }>(client, 'POST', path, { payload });
  print(made, parsed, io);
  return 0;
}

/** Page by page: what is printed is all there is. */
async function listAll(client: AdminClient, parsed: ParsedArgs): Promise<KeyPicture[]> {
  const keys: KeyPicture[] = [];
  const query = new URLSearchParams({ limit: '1000' });
  for (const name of ['consumer', 'state']) {
    const value = parsed.text(name);
    if (value !== undefined) query.set(name, value);
  }
  for (;;) {
    const page = await callJson<{ keys: KeyPicture[]; next: string | null }>(client, 'GET', `/keys?${query}`);
    keys.push(...page.keys);
    if (page.next === null) return keys;
    query.set('after', page.next);
  }
}

/** One line for each member that says something. */
function print(key: KeyPicture & { readonly key?: string }, parsed: ParsedArgs, io: CommandIo): void {
  if (parsed.flag('json')) {
    io.out(`${JSON.stringify(key)}\n`);
    return;
  }
  const rows = Object.entries(key)
    .map(([name, value]) => [name, textOf(value)] as const)
    .filter(([, text]) => text !== '');
  io.out(table(rows));
  if (key.key !== undefined) io.out('The key is shown this once.\n');
}

function textOf(value: unknown): string {
  if (value === null) return '';
  if (Array.isArray(value)) return value.join(' ');
  if (typeof value !== 'object') return String(value);
  return Object.keys(value).length === 0 ? '' : JSON.stringify(value);
}
