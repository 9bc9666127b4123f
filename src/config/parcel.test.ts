/** What is packed comes out again as it was. */
import { expect, test } from 'vitest';
import { atOnce } from '../base/slices.ts';
import { parseConfigText } from './load.ts';
import type { GatewayConfig } from './model.ts';
import { packConfig, packList, unpackConfig, unpackList } from './parcel.ts';

function configOf(routes: number): GatewayConfig {
  const list = Array.from(
    { length: routes },
    (_, i) => `  - { name: r${i}, match: { path: /r${i}, headers: { x: "é" } }, service: s }`,
  );
  const { config } = parseConfigText(`version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
services: [{ name: s, endpoints: ["http://127.0.0.1:1"], healthCheck: {} }]
routes:
${list.join('\n')}
`);
  return config as GatewayConfig;
}

// None is a list that the schema gives; the others are one portion, one and a bit, and several.
test.each([1, 64, 65, 300])('a configuration of %i routes comes out as it went in', (routes) => {
  const config = configOf(routes);
  const parcel = atOnce(packConfig(config));
  expect(parcel.rest).not.toHaveProperty('routes');
  expect(parcel.routes).toHaveLength(Math.ceil(routes / 64));
  expect(atOnce(unpackConfig(parcel))).toStrictEqual(config);
});

test('what the other end has is told by its place, and is its very own there', () => {
  const here = configOf(300);
  const there = atOnce(unpackConfig(atOnce(packConfig(here))));
  const [first, second, ...rest] = here.routes;
  const changed = { ...second, name: 'changed' };
  // One is changed, one is new, one is gone, one has another place, and one stands there twice.
  const routes = [changed, { ...first, name: 'new' }, ...rest.slice(1), rest[0], rest[0]];
  const config = { ...here, routes, services: [...here.services] };
  const parcel = atOnce(packConfig(config, here));
  const size = (portions: readonly Uint8Array[]): number => portions.reduce((sum, { length }) => sum + length, 0);
  expect(size(parcel.routes)).toBeLessThan(size(atOnce(packConfig(config)).routes) / 10);
  const unpacked = atOnce(unpackConfig(parcel, there));
  expect(unpacked).toStrictEqual(config);
  expect(unpacked.routes.slice(2, -2)).toEqual(there.routes.slice(3));
  for (const [index, route] of unpacked.routes.slice(2, -2).entries()) expect(route).toBe(there.routes[3 + index]);
  expect(unpacked.services[0]).toBe(there.services[0]);
});

test('an empty list has no portion', () => {
  expect(atOnce(packList([]))).toEqual([]);
  expect(atOnce(unpackList([]))).toEqual([]);
});

test('packing and unpacking stop after each portion', () => {
  const steps = packList(Array.from({ length: 200 }, (_, i) => ({ i })));
  expect([...steps]).toHaveLength(4);
  const portions = atOnce(packList(Array.from({ length: 200 }, (_, i) => ({ i }))));
  expect([...unpackList(portions)]).toHaveLength(4);
});
