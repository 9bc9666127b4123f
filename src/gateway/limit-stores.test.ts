/** Stores of limits stay over reloads that do not concern them. */
import { afterEach, expect, test, vi } from 'vitest';
import { systemClock, systemTimers } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import { MemoryLimits } from '../state/limits/memory-limits.ts';
import { SharedLimits } from '../state/limits/redis/shared-limits.ts';
import { LimitStores } from './limit-stores.ts';

afterEach(() => void vi.restoreAllMocks());

/** A store that nobody is at: it is opened all the same. */
const configOf = (maxKeys: number): GatewayConfig =>
  ({ state: { shared: 'redis://127.0.0.1:1', maxKeys } }) as unknown as GatewayConfig;

test('a reload that changes only the bound of keys tells it to the store that stays', async () => {
  const told = vi.spyOn(SharedLimits.prototype, 'setMaxKeys');
  const deps = { clock: systemClock, timers: systemTimers, logger: silentLogger };
  const stores = new LimitStores({ ...deps, local: new MemoryLimits({ ...deps, maxKeys: 5000 }) });
  try {
    (await stores.prepare(configOf(5000))).commit();
    const next = await stores.prepare(configOf(2000));
    expect(told).not.toHaveBeenCalled();
    next.commit();
    expect(told.mock.calls).toEqual([[2000]]);
  } finally {
    await stores.close();
  }
});
