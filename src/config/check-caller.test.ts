/** Routes that answer 401 to everybody are told, and no others. */
import { describe, expect, test } from 'vitest';
import { builtInPolicies, builtInSchemas } from '../gateway/built-in-policies.ts';
import { explainRequest } from '../gateway/explain.ts';
import { parseConfigValue } from './load.ts';
import type { GatewayConfig } from './model.ts';
import type { PolicyInput } from './policy-schemas.ts';

const ASKS: PolicyInput = { authorize: { roles: ['clerk'] } };
const KNOWS: PolicyInput = { anonymous: { roles: ['clerk'] } };
const OPEN: PolicyInput = { authorize: { when: 'request.method == "GET" || identity == null' } };

function load(file: object): { config: GatewayConfig | null; told: string[] } {
  const rest = { version: 1, listeners: [{ name: 'a', address: '127.0.0.1:8080' }], roles: { clerk: ['a:b'] } };
  const { config, findings } = parseConfigValue({ ...rest, ...file }, { policies: builtInSchemas });
  return { config, told: findings.map(({ severity, code, path }) => `${severity} ${code} ${path}`) };
}

const lists: readonly (readonly PolicyInput[])[] = [[], [ASKS], [OPEN], [KNOWS], [OPEN, ASKS], [ASKS, KNOWS]];
const places = lists.flatMap((gateway) =>
  lists.flatMap((service) => lists.map((route) => ({ gateway, service, route }))),
);

test('told is what explain sees, wherever policies stand', async () => {
  for (const { gateway, service, route } of places) {
    const { config, told } = load({
      policies: gateway,
      services: [{ name: 's', endpoints: ['http://127.0.0.1:9'], policies: service }],
      routes: [{ name: 'r', match: { path: '/' }, service: 's', policies: route }],
    });
    const request = { method: 'GET', url: '/', headers: [] };
    const { answer } = await explainRequest(config as GatewayConfig, request, builtInPolicies);
    const own = route.indexOf(ASKS);
    const place = own < 0 ? 'routes[0]' : `routes[0].policies[${own}].authorize`;
    const expected = answer?.status === 401 ? [`warning unknown_caller ${place}`] : [];
    expect([gateway, service, route, told]).toEqual([gateway, service, route, expected]);
  }
});

const asks = (rules: object): PolicyInput[] => [{ authorize: rules }];

describe('a route', () => {
  test.each<[string, PolicyInput[], boolean]>([
    ['that asks for a scope', asks({ scopes: ['a'] }), true],
    ['that asks for a permission', asks({ permissions: ['a:b'] }), true],
    ['that asks for a claim', asks({ claims: { a: 'b' } }), true],
    ['that asks, with a condition beside', asks({ roles: ['clerk'], when: 'true' }), true],
    ['that asks for nothing', asks({ claims: {}, when: 'true' }), false],
    ['whose condition reads who calls', asks({ when: 'identity.kind == "jwt"' }), false],
    ['with one of several ways to say it', [...asks({ scopes: ['a'] }), { anyOf: [{ apiKey: {} }] }], false],
    ['with an authentication behind', [...asks({ scopes: ['a'] }), { apiKey: {} }], false],
    ['with other policies', [...asks({ scopes: ['a'] }), { securityHeaders: {} }], true],
  ])('%s', (_, policies, isTold) => {
    const { told } = load({ routes: [{ name: 'r', match: {}, respond: { status: 204 }, policies }] });
    expect(told).toEqual(isTold ? ['warning unknown_caller routes[0].policies[0].authorize'] : []);
  });

  test.each<[string, object]>([
    ['of its own', { policies: [ASKS, { apiKey: { hedaer: 'x' } }] }],
    ['of its service', { service: 'broken' }],
    ['of a service that is not there', { service: 'nobody' }],
  ])('whose authentication may be what is wrong, %s, is not told', (_, rest) => {
    const { told } = load({
      services: [{ name: 'broken', endpoints: ['http://127.0.0.1:9'], policies: [{ apiKye: {} }] }],
      routes: [{ name: 'r', match: {}, policies: [ASKS], respond: { status: 204 }, ...rest }],
    });
    expect(told.join()).toMatch(/^error/);
    expect(told.join()).not.toContain('unknown_caller');
  });

  test('is told for itself, where one list is for several', () => {
    const routes = [{}, { policies: [{ apiKey: {} }] }, { policies: [OPEN] }, {}].map((rest, index) => {
      return { name: `r${index}`, match: { path: `/${index}` }, respond: { status: 204 }, ...rest };
    });
    expect(load({ policies: [ASKS], routes }).told).toEqual([
      'warning unknown_caller routes[0]',
      'warning unknown_caller routes[3]',
    ]);
  });
});
