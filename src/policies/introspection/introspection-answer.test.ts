/** What an answer about a token says, and which is none. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Accounts } from '../../pipeline/accounts.ts';
import { IntrospectionAnswerError, parseIntrospectionAnswer } from './introspection-answer.ts';

const consumer = { apiKeys: [], metadata: {} };
const accounts = new Accounts({
  tiers: { free: { rate: 1, per: 1000, quotas: {} }, pro: { rate: 1, per: 1000, quotas: {} } },
  consumers: [{ ...consumer, name: 'acme', tier: 'free' }],
});

const parse = (claims: unknown) => parseIntrospectionAnswer(200, JSON.stringify(claims), accounts);

describe('an answer about an active token', () => {
  test('says who has it', () => {
    const claims = {
      active: true,
      sub: 'ann',
      scope: 'orders:read  orders:write',
      roles: ['admin', 'dev'],
      tier: 'pro',
      jti: 't-1',
      exp: 1_800_000_000,
      nbf: 1_700_000_000.5,
      tenant: { id: 7 },
    };
    const found = parse(claims);
    expect(found).toMatchObject({
      identity: {
        kind: 'introspection',
        subject: 'ann',
        scopes: ['orders:read', 'orders:write'],
        roles: ['admin', 'dev'],
        tier: 'pro',
        credential: 't-1',
        consumer: null,
        claims,
      },
      expires: 1_800_000_000_000,
      notBefore: 1_700_000_000_500,
    });
    expect(found?.identity.lines).toBe('X-User-ID: ann\r\nX-User-Roles: admin,dev\r\nX-Consumer-Tier: pro\r\n');
  });

  test.each<[object, string]>([
    [{ sub: 'a', username: 'b', client_id: 'c' }, 'a'],
    [{ sub: '', username: 'b', client_id: 'c' }, 'b'],
    [{ sub: null, client_id: 'c' }, 'c'],
    [{}, ''],
    [{ sub: 'a\r\nX-User-Roles: admin' }, 'a\r\nX-User-Roles: admin'],
  ])('%j is about %j', (claims, subject) => {
    const found = parse({ active: true, ...claims });
    expect(found?.identity.subject).toBe(subject);
    expect(found?.identity.lines.split('\r\n')).toHaveLength(subject === '' ? 1 : 2);
  });

  test.each<[object, readonly string[]]>([
    [{ roles: 'a, b' }, ['a', 'b']],
    [{ roles: ['a', '', 7, 'x,y'] }, ['a']],
    [{ roles: { admin: true } }, []],
    [{ roles: 7 }, []],
    [{ role: 'a' }, ['a']],
    [{ realm_access: { roles: ['a'] } }, ['a']],
    [{ realm_access: 'a' }, []],
    [{ roles: null }, []],
    [JSON.parse('{"__proto__": {"roles": ["admin"]}}'), []],
  ])('%j has the roles %j', (claims, roles) => {
    expect(parse(Object.assign(Object.create(null), claims, { active: true }))?.identity.roles).toEqual(roles);
  });

  test.each<[object, string | null, string | null]>([
    [{ consumer: 'acme' }, 'acme', 'free'],
    [{ consumer: 'acme', tier: 'pro' }, 'acme', 'pro'],
    [{ consumer: 'nobody', tier: 'nothing' }, null, null],
    [{ consumer: ['acme'], tier: 7 }, null, null],
  ])('%j is of the consumer %j and the tier %j', (claims, name, tier) => {
    expect(parse({ active: true, ...claims })?.identity).toMatchObject({ consumer: name, tier });
  });

  test('may give scopes as a list', () => {
    expect(parse({ active: true, scope: ['a', 'b'] })?.identity.scopes).toEqual(['a', 'b']);
  });
});

test('an answer about another token says nothing else', () => {
  expect(parse({ active: false, sub: 7, exp: 'soon' })).toBeNull();
});

describe('an answer that is none', () => {
  test.each<[string, number, string]>([
    ['not JSON', 200, '<html>'],
    ['cut', 200, '{"active":true,"sub":"an'],
    ['empty', 200, ''],
    ['a list', 200, '[{"active":true}]'],
    ['null', 200, 'null'],
    ['true alone', 200, 'true'],
    ['without active', 200, '{"sub":"ann"}'],
    ['active as a string', 200, '{"active":"true"}'],
    ['active as a number', 200, '{"active":1}'],
    ['active as null', 200, '{"active":null}'],
    ['active of the prototype', 200, '{"__proto__":{"active":true}}'],
    ['in capitals', 200, '{"Active":true}'],
    ['of a gateway that may not ask', 401, '{"active":true}'],
    ['a redirection', 302, '{"active":true}'],
    ['no content', 204, ''],
    ['of another success', 201, '{"active":true}'],
    ['of a server that fails', 500, '{"active":true}'],
    ['sub as a number', 200, '{"active":true,"sub":7}'],
    ['sub as a map', 200, '{"active":true,"sub":{"a":1}}'],
    ['scope as a number', 200, '{"active":true,"scope":7}'],
    ['exp as a string', 200, '{"active":true,"exp":"1800000000"}'],
    ['exp as a list', 200, '{"active":true,"exp":[1800000000]}'],
    ['nbf as a boolean', 200, '{"active":true,"nbf":true}'],
  ])('is a failure: %s', (_, status, body) => {
    expect(() => parseIntrospectionAnswer(status, body, accounts)).toThrow(IntrospectionAnswerError);
  });

  test('is a failure whatever it is, and is never quoted', () => {
    fc.assert(
      fc.property(fc.json(), (body) => {
        try {
          parseIntrospectionAnswer(200, body, accounts);
        } catch (error) {
          expect(error).toBeInstanceOf(IntrospectionAnswerError);
          expect((error as Error).message.length).toBeLessThan(60);
        }
      }),
    );
  });
});
