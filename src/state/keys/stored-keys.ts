/** A store as the source of keys: writes uses back in batches, and says once that it cannot be asked, and once that it can again. */
import type { TimerHandle, Timers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { FoundKey, KeySource } from './api-key.ts';
import type { KeyStore } from './key-store.ts';

export interface StoredKeysDeps {
  readonly store: KeyStore;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Milliseconds in which uses are gathered. */
const GATHER = 1000;

/** Milliseconds that the last uses may take to be written when the gateway stops. */
const LAST_WRITE = 1000;

export class StoredKeys implements KeySource {
  readonly store: KeyStore;
  private readonly timers: Timers;
  private readonly logger: Logger;
  private isDown = false;
  private uses = new Map<string, number>();
  private timer: TimerHandle | null = null;
  private closing: Promise<void> | null = null;

  constructor({ store, timers, logger }: StoredKeysDeps) {
    this.store = store;
    this.timers = timers;
    this.logger = logger;
  }

  async find(id: string): Promise<FoundKey> {
    try {
      const key = await this.store.get(id);
      if (this.isDown) this.logger.info('the key store can be asked again', {});
      this.isDown = false;
      return { key, age: 0 };
    } catch (error) {
      if (!this.isDown)
        this.logger.error('the key store cannot be asked: keys that are not known are refused', { error });
      this.isDown = true;
      throw error;
    }
  }

  used(id: string, at: number): void {
    this.uses.set(id, at);
    if (this.closing !== null) return;
    this.timer ??= this.timers.setTimeout(() => void this.writeUses(), GATHER);
  }

  /** Writes back what was gathered. Never rejects: uses that cannot be written are lost, and requests are not. */
  async writeUses(): Promise<void> {
    this.timers.clearTimeout(this.timer);
    this.timer = null;
    const { uses } = this;
    if (uses.size === 0) return;
    this.uses = new Map();
    try {
      await this.store.touch(uses);
    } catch (error) {
      this.logger.debug('uses of keys could not be written', { keys: uses.size, error });
    }
  }

  /** Writes the last uses, if the store takes them in time. */
  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    let timer: TimerHandle = null;
    const patience = new Promise<void>((resolve) => {
      timer = this.timers.setTimeout(resolve, LAST_WRITE);
    });
    await Promise.race([this.writeUses(), patience]);
    this.timers.clearTimeout(timer);
    await this.store.close().catch(() => {});
  }
}
