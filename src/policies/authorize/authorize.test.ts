/** `authorize`: who may, who is asked to say who they are, and that nobody is told what was missing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessConfig } from '../../config/policy-schemas.ts';
import { createIdentity, grants, type Identity, type IdentityFacts } from '../../pipeline/identity.ts';
import { exchangeOf, servicesOf, type TestRequest } from '../../pipeline/policy.test.support.ts';
import type { Reply } from '../../pipeline/policy.ts';
import { authorize } from './index.ts';

const config: AccessConfig = {
  tiers: {},
  roles: {
    admin: ['*:*'],
    root: ['*'],
    editor: ['orders:read', 'orders:write'],
    reader: ['*:read'],
    owner: ['orders:*'],
    idle: [],
  },
  consumers: [],
};

const who = (facts: Partial<IdentityFacts>): Identity => createIdentity({ kind: 'jwt', subject: 'ann', ...facts });

function judge(options: object, identity: Identity | null, request: TestRequest = {}): Reply | undefined {
  const hooks = authorize.create(authorize.schema.parse(options), servicesOf({ config }));
  return hooks.onRequest?.(exchangeOf({ identity, ...request })) as Reply | undefined;
}

const read = { permissions: ['orders:read'] };
const both = { permissions: ['orders:read', 'orders:write'] };
const all = {
  roles: ['editor'],
  scopes: ['a'],
  permissions: ['orders:read'],
  claims: { org: 'blue' },
  when: 'request.method == "GET"',
};
const full = { roles: ['editor'], scopes: ['a'], claims: { org: 'blue' } };

describe('a caller', () => {
  const cases: [object, Partial<IdentityFacts>, true | string][] = [
    [{ roles: ['admin'] }, { roles: ['admin'] }, true],
    [{ roles: ['admin', 'editor'] }, { roles: ['x', 'editor'] }, true],
    [{ roles: ['admin'] }, { roles: ['Admin', 'administrator', ''] }, 'none of the roles admin'],
    [{ roles: ['admin'] }, { scopes: ['admin'], claims: { roles: ['admin'] } }, 'none of the roles admin'],
    [{ scopes: ['a', 'b'] }, { scopes: ['b', 'c', 'a'] }, true],
    [{ scopes: ['a', 'b'] }, { scopes: ['a'] }, 'not the scope b'],
    [{ scopes: ['orders:read'] }, { scopes: ['*', 'orders:*'] }, 'not the scope orders:read'],
    [read, { roles: ['editor'] }, true],
    [both, { roles: ['editor'] }, true],
    [both, { roles: ['reader'] }, 'not the permission orders:write'],
    [both, { roles: ['reader'], scopes: ['orders:write'] }, true],
    [both, { roles: ['admin'] }, true],
    [both, { roles: ['root'] }, true],
    [both, { roles: ['owner'] }, true],
    [both, { roles: ['idle', 'nobody', '__proto__', 'constructor'] }, 'not the permission orders:read'],
    [read, { scopes: ['orders:*'] }, true],
    [read, { claims: { permissions: ['orders:read'] } }, true],
    [read, { claims: { permissions: [7, null, ['orders:read'], 'orders:write'] } }, 'not the permission orders:read'],
    [read, { claims: { permissions: 'orders:read' } }, 'not the permission orders:read'],
    [read, { roles: ['orders:read'] }, 'not the permission orders:read'],
    [{ claims: { org: 'blue' } }, { claims: { org: 'blue' } }, true],
    [{ claims: { org: 'blue' } }, { claims: { org: ['red', 'blue'] } }, true],
    [{ claims: { org: 'blue' } }, { claims: { org: { blue: 1 } } }, 'another claim org'],
    [{ claims: { org: { oneOf: ['red', 'blue'] } } }, { claims: { org: 'blue' } }, true],
    [{ claims: { org: { oneOf: ['red', 'blue'] } } }, { claims: { org: 'green' } }, 'another claim org'],
    [{ claims: { level: 1, on: true } }, { claims: { level: 1, on: true } }, true],
    [{ claims: { level: 1 } }, { claims: { level: '1' } }, 'another claim level'],
    [{ claims: { toString: 'x', 'a.constructor': 'x' } }, { claims: { a: {} } }, 'another claim toString'],
    [{ claims: { 'org.id': 'blue' } }, { claims: { org: { id: 'blue' } } }, true],
    [{ claims: { 'org.id': 'blue' } }, { claims: { 'org.id': 'red', org: { id: 'blue' } } }, 'another claim org.id'],
    [{ when: 'identity.claims.active == true' }, { claims: { active: true } }, true],
    [{ when: 'identity.claims.active == true' }, { claims: { active: 'true' } }, 'the condition is not true'],
    [{ when: 'identity.claims.active == true' }, {}, 'the condition failed: no_such_key at character 17'],
    [{ when: 'identity.claims.active' }, { claims: { active: 1 } }, 'the condition is not true'],
    [all, full, true],
    [all, { ...full, roles: ['reader'] }, 'none of the roles editor'],
    [all, { ...full, scopes: [] }, 'not the scope a'],
    [all, { ...full, claims: {} }, 'another claim org'],
    [{ ...all, when: 'request.method == "POST"' }, full, 'the condition is not true'],
  ];

  test.each(cases)('%j of %j: %s', (options, facts, outcome) => {
    const reply = judge(options, who(facts));
    if (outcome === true) return expect(reply).toBeUndefined();
    expect(reply).toMatchObject({ code: 'forbidden', detail: 'the caller may not do this', reason: outcome });
    expect(reply?.headers).toEqual({});
  });

  test('nobody knows is asked to say who they are', () => {
    const asked = { code: 'unauthenticated', headers: { 'WWW-Authenticate': 'Bearer' } };
    for (const options of [
      { roles: ['admin'] },
      { scopes: ['a'] },
      read,
      { claims: { a: 1 } },
      { when: 'has(identity.kind)' },
    ]) {
      expect(judge(options, null)).toMatchObject(asked);
      expect(judge(options, who({ kind: 'anonymous' }))?.code).toBe('when' in options ? undefined : 'unauthenticated');
    }
  });

  test('is not asked where it is no matter who they are', () => {
    const options = { when: 'request.path.startsWith("/open")' };
    expect(judge(options, null, { path: '/open/a' })).toBeUndefined();
    expect(judge(options, null, { path: '/a' })).toMatchObject({ code: 'forbidden' });
  });

  test('nobody knows may still fulfil a condition', () => {
    const options = { when: 'identity == null || "admin" in identity.roles' };
    expect(judge(options, null)).toBeUndefined();
    expect(judge(options, who({ roles: ['admin'] }))).toBeUndefined();
    expect(judge(options, who({}))).toMatchObject({ code: 'forbidden' });
  });
});

describe('a permission', () => {
  const part = fc.constantFrom('orders', 'read', 'a', '*');

  test('is granted by what equals it part for part, * standing for any one part', () => {
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 2, maxLength: 4 }),
        fc.array(part, { minLength: 1, maxLength: 4 }),
        (granted, parts) => {
          const wanted = parts.filter((text) => text !== '*');
          const fits =
            granted.length === wanted.length && granted.every((text, i) => text === '*' || text === wanted[i]);
          expect(grants(granted.join(':'), wanted.join(':'))).toBe(fits);
        },
      ),
    );
  });
});

describe('options', () => {
  test.each([
    [{}, 'needs at least one'],
    [{ roles: [] }, 'Too small'],
    [{ permissions: ['orders:*'] }, 'must name one permission'],
    [{ permissions: ['a b'] }, 'must be a permission'],
    [{ scopes: ['a b'] }, 'printable ASCII'],
    [{ claims: { a: {} } }, 'oneOf'],
    [{ claims: { a: null } }, 'expected a string'],
    [{ when: 'identity.rolls' }, 'no such key: rolls'],
    [{ role: ['a'] }, 'Unrecognized key'],
  ])('%j are refused', (options, words) => {
    const { error } = authorize.schema.safeParse(options);
    expect(JSON.stringify(error?.issues)).toContain(words);
  });

  test('that nobody can fulfil are told', () => {
    const problems = (permissions: string[], more: Partial<AccessConfig> = {}) =>
      authorize.check?.(authorize.schema.parse({ permissions }), { ...config, ...more });
    const roles = { editor: ['orders:read'], guest: ['*:list'] };
    expect(problems(['orders:read', 'users:list'], { roles })).toEqual([]);
    expect(problems(['orders:red'], { roles: {} })).toEqual([]);
    expect(problems(['orders:read', 'orders:red'], { roles })).toMatchObject([
      { severity: 'warning', code: 'ungranted_permission', path: ['permissions', 1], known: ['orders:read'] },
    ]);
  });

  test('are said for people', () => {
    const hooks = authorize.create(authorize.schema.parse(all), servicesOf({ config }));
    expect(hooks.effect).toBe(
      'asks for one of the roles editor; and the scopes a; and the permissions orders:read; and the claims org; and that request.method == "GET"',
    );
  });
});
