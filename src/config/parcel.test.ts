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

test('an empty list has no portion', () => {
  expect(atOnce(packList([]))).toEqual([]);
  expect(atOnce(unpackList([]))).toEqual([]);
});

test('packing and unpacking stop after each portion', () => {
  const steps = packList(Array.from({ length: 200 }, (_, i) => i));
  expect([...steps]).toHaveLength(4);
  const portions = atOnce(packList(Array.from({ length: 200 }, (_, i) => i)));
  expect([...unpackList(portions)]).toHaveLength(4);
});
