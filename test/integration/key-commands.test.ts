/** `portico keys` against a gateway that runs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandOutcome, runCommand } from '../support/command.ts';
import { type KeyGateway, startKeyGateway } from '../support/keys.ts';
import { closeManaged } from '../support/managed.ts';

let keys: KeyGateway;

beforeAll(async () => {
  keys = await startKeyGateway({ keyCacheFor: '1h' });
});

afterAll(closeManaged);

function portico(line: string, token = 'a-token-for-the-tests'): Promise<CommandOutcome> {
  const env = { PORTICO_ADMIN_TOKEN: token };
  return runCommand(['keys', ...line.split(' '), '--admin', keys.gateway.admin], { env, cwd: keys.gateway.directory });
}

async function made(line: string): Promise<{ id: string; key: string; [name: string]: unknown }> {
  const { status, out, error } = await portico(`${line} --json`);
  expect({ status, error }).toEqual({ status: 0, error: '' });
  return JSON.parse(out);
}

test('a key is made, and shown this once', async () => {
  const options = '--name ci --scope orders:read --scope orders:write --tier free --expires-in 30d';
  const { status, out, error } = await portico(`create --consumer shop ${options} --metadata team=a=b --metadata x=`);
  expect({ status, error }).toEqual({ status: 0, error: '' });
  const [, id, key] = /^id +(\S+)\nkey +(pk_\S+)\nconsumer +shop\nname +ci\n/.exec(out) ?? [];
  expect(key).toContain(`pk_${id}_`);
  expect(out).toMatch(/\nscopes +orders:read orders:write\ntier +free\nstate +active\n/);
  expect(out).toMatch(/\nmetadata +\{"team":"a=b","x":""\}\nThe key is shown this once\.\n$/);
  expect((await keys.use(key)).status).toBe(200);
  const shown = await portico(`show ${id}`);
  expect(shown).toMatchObject({ status: 0, error: '' });
  expect(shown.out).toMatch(/\nlastUsedAt +\d{4}-/);
  expect(shown.out).not.toContain(key);
});

test('a key is rotated and revoked', async () => {
  const first = await made('create --consumer shop');
  const second = await made(`rotate ${first.id} --overlap 0s`);
  expect(second).toMatchObject({ consumer: 'shop', rotatedFrom: first.id });
  expect([(await keys.use(first.key)).status, (await keys.use(second.key)).status]).toEqual([401, 200]);
  expect(await portico(`revoke ${second.id}`)).toEqual({ status: 0, out: `${second.id} is revoked\n`, error: '' });
  expect((await keys.use(second.key)).status).toBe(401);
  const again = await portico(`revoke ${second.id} --json`);
  expect(JSON.parse(again.out)).toEqual({ id: second.id, state: 'revoked' });
});

test('keys are listed, by consumer and state', async () => {
  const { id } = await made('create --consumer bank --name b');
  const { out } = await portico('list');
  expect(out).toMatch(
    /^id +consumer +name +state +tier +scopes +expires +last used\nacme01 +acme +- +active, declared +pro +orders:read +never +never\n/,
  );
  const bank = await portico('list --consumer bank --state active --json');
  expect(JSON.parse(bank.out)).toMatchObject({ keys: [{ id, name: 'b' }] });
  expect(JSON.parse((await portico('list --consumer bank --state revoked --json')).out)).toEqual({ keys: [] });
});

describe('a line that cannot be done', () => {
  test.each([
    ['', 2, /usage: portico keys \(create/],
    ['make', 2, /usage/],
    ['toString', 2, /usage/],
    ['create', 2, /keys create needs --consumer/],
    ['create acme', 2, /usage/],
    ['create --consumer acme --metadata team', 2, /--metadata takes NAME=VALUE/],
    ['create --consumer acme --overlap 1h', 2, /keys create has no option "--overlap"/],
    ['list --scope x', 2, /keys list has no option "--scope"/],
    ['show', 2, /usage/],
    ['revoke', 2, /usage/],
    ['list acme', 2, /usage/],
    ['create --consumer acme --tier gold', 1, /422 unknown_tier: No tier of the configuration has this name/],
    ['create --consumer acme --expires-in 30', 1, /400 bad_request: .*needs a unit/],
    ['list --state bad', 1, /400 bad_request/],
    ['show nobody', 1, /404 resource_not_found: No key has this id/],
    ['show ../status', 1, /400 bad_request/],
    ['revoke acme01', 1, /409 conflict: The key stands in the configuration/],
  ])('portico keys %s: %d', async (line, status, said) => {
    const result = await portico(line);
    expect(result).toMatchObject({ status, out: '' });
    expect(result.error).toMatch(said);
  });

  test('is that without the token', async () => {
    const result = await portico('list', '');
    expect(result).toMatchObject({ status: 1, out: '' });
    expect(result.error).toContain('a token is needed: put it into PORTICO_ADMIN_TOKEN');
  });
});
