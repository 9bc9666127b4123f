/** What a gateway keeps of generations that are over: nothing. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { systemClock, systemTimers } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { parseConfigText } from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import { builtInPolicies, builtInSchemas } from './built-in-policies.ts';
import { Gateway } from './gateway.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function configOf(turn: number): GatewayConfig {
  const text = `version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
services: [{ name: s, endpoints: ["http://127.0.0.1:1"], healthCheck: {} }]
routes:
  - { name: turn, match: { path: /${turn} }, service: s, policies: [{ requestHeaders: { set: { x-turn: "${turn}" } } }] }
`;
  const { config, findings } = parseConfigText(text, { policies: builtInSchemas });
  if (config === null) throw new Error(JSON.stringify(findings));
  return config;
}

test('generations that are over leave nothing in memory', async () => {
  const gateway = new Gateway({
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    policies: builtInPolicies,
    random: Math.random,
    version: '0',
  });
  const former: WeakRef<object>[] = [];
  for (let turn = 0; turn < 6; turn++) {
    await gateway.apply(configOf(turn));
    former.push(new WeakRef(gateway.current as object));
  }
  // A WeakRef holds on to its object until the turn in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(former.map((ref) => ref.deref() !== undefined)).toEqual([false, false, false, false, false, true]);
  gateway.abandon();
});
