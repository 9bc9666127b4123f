/** A gateway is told to stop: once, twice, by whom, and what its end says. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { Lifecycle } from './lifecycle.ts';
import type { Server } from './serve.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const;
const before = SIGNALS.map((signal) => process.listeners(signal));

afterEach(() => {
  for (const [index, signal] of SIGNALS.entries()) {
    for (const listener of process.listeners(signal))
      if (!before[index].includes(listener)) process.removeListener(signal, listener);
  }
  vi.restoreAllMocks();
});

function running() {
  const did: string[] = [];
  let onStopped: (cut: number) => void = () => {};
  const server = {
    active: 1,
    stop: () => {
      did.push('stop');
      return new Promise<number>((resolve) => (onStopped = resolve));
    },
    abandon: () => void did.push('abandon'),
  } as unknown as Server;
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  let now = 5;
  const lifecycle = new Lifecycle({ ...silentLogger }, { now: () => now });
  const done = lifecycle.untilStopped(server);
  const pass = (milliseconds: number): void => void (now += milliseconds);
  return { lifecycle, did, done, pass, finish: () => onStopped(0) };
}

describe('a gateway that is told to stop', () => {
  test('by the API, twice and then by a signal, drains', async () => {
    const { lifecycle, did, done, finish } = running();
    lifecycle.stop('api');
    lifecycle.stop('api');
    lifecycle.stop('SIGTERM');
    lifecycle.stop('api');
    expect(did).toEqual(['stop']);
    finish();
    await done;
  });

  test('by a second signal ends at once', () => {
    const { lifecycle, did, pass } = running();
    lifecycle.stop('SIGTERM');
    pass(200);
    expect(() => lifecycle.stop('SIGINT')).toThrow('exit 1');
    expect(did).toEqual(['stop', 'abandon']);
  });

  test('by one signal that comes twice, as `timeout` and `npm` send it, drains', () => {
    const { lifecycle, did, pass } = running();
    lifecycle.stop('SIGTERM');
    lifecycle.stop('SIGTERM');
    pass(199);
    lifecycle.stop('SIGINT');
    expect(did).toEqual(['stop']);
  });
});
