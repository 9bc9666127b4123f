/** A worker's side of policies' state: asks its supervisor, the questions of one turn together, and itself what is shared with other gateways. */
import type { GatewayConfig } from '../../config/model.ts';
import type { ApiKey, FoundKey, KeyDirectory } from '../../state/keys/api-key.ts';
import { KeyCache } from '../../state/keys/key-cache.ts';
import type { Decision, Limits, LimitsOptions } from '../../state/limits/limits.ts';
import type { StoreObserver } from '../../state/limits/redis/shared-limits.ts';
import type { SlotOutcome, SlotRule, Slots, SlotWish } from '../../state/slots.ts';
import { declaredKeys } from '../gateway-keys.ts';
import type { GatewayState, PreparedState } from '../gateway-state.ts';
import { LimitStores, type LimitStoresDeps } from '../limit-stores.ts';
import type { StateAnswer, StateQuestion, TakeQuestion } from './state-messages.ts';

interface PendingKey {
  resolve(found: FoundKey): void;
  reject(error: Error): void;
}

export class RemoteState implements GatewayState {
  readonly slots: Slots;
  readonly keys: KeyDirectory;
  private readonly send: (question: StateQuestion) => void;
  private readonly stores: LimitStores;
  private readonly cache: KeyCache;
  private declared: ReadonlyMap<string, ApiKey> = new Map();
  private nextId = 1;
  private questions: TakeQuestion[] = [];
  private readonly decisions = new Map<number, (decision: Decision) => void>();
  private readonly slotsAsked = new Map<number, (outcome: SlotOutcome) => void>();
  private readonly keysAsked = new Map<number, PendingKey>();

  constructor(send: (question: StateQuestion) => void, deps: Omit<LimitStoresDeps, 'local'>) {
    this.send = send;
    this.stores = new LimitStores({ ...deps, local: this.supervised() });
    const source = {
      find: (key: string) => this.findKey(key),
      used: (key: string) => this.send({ type: 'key-used', key }),
    };
    this.cache = new KeyCache({ source, clock: deps.clock, keepFor: 0 });
    this.slots = { wish: (key, rule) => this.wish(key, rule) };
    this.keys = {
      find: (id) => this.declared.get(id) ?? this.cache.find(id),
      used: (id) => {
        if (!this.declared.has(id)) this.cache.used(id);
      },
    };
  }

  limits(options: LimitsOptions): Limits {
    return this.stores.limits(options);
  }

  observe(observer: StoreObserver): void {
    this.stores.observe(observer);
  }

  /** What all workers of the gateway have together. */
  private supervised(): Limits {
    return {
      take: (takes) =>
        new Promise((resolve) => {
          const id = this.nextId++;
          this.decisions.set(id, resolve);
          this.questions.push({ id, takes });
          if (this.questions.length === 1) queueMicrotask(() => this.ask());
        }),
    };
  }

  private ask(): void {
    const { questions } = this;
    this.questions = [];
    this.send({ type: 'take', questions });
  }

  private wish(key: string, rule: SlotRule): SlotWish {
    const id = this.nextId++;
    const outcome = new Promise<SlotOutcome>((resolve) => this.slotsAsked.set(id, resolve));
    this.send({ type: 'wish', id, key, rule });
    let held = true;
    return {
      outcome,
      release: () => {
        if (held) this.send({ type: 'release', id });
        held = false;
      },
    };
  }

  private findKey(key: string): Promise<FoundKey> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.keysAsked.set(id, { resolve, reject });
      this.send({ type: 'find-key', id, key });
    });
  }

  onAnswer(answer: StateAnswer): void {
    switch (answer.type) {
      case 'decided':
        for (const { id, decision } of answer.answers) taken(this.decisions, id)?.(decision);
        return;
      case 'slot':
        return taken(this.slotsAsked, answer.id)?.(answer.outcome);
      case 'key': {
        const pending = taken(this.keysAsked, answer.id);
        if (answer.error === null) pending?.resolve(answer.found);
        else pending?.reject(new Error(answer.error));
        return;
      }
      case 'key-changed':
        return this.cache.forget(answer.key);
    }
  }

  async prepare(config: GatewayConfig): Promise<PreparedState> {
    const stores = await this.stores.prepare(config);
    const declared = declaredKeys(config);
    return {
      commit: () => {
        stores.commit();
        this.declared = declared;
        this.cache.setKeepFor(config.state.keyCacheFor);
      },
      discard: () => stores.discard(),
    };
  }

  close(): Promise<void> {
    return this.stores.close();
  }
}

function taken<T>(pending: Map<number, T>, id: number): T | undefined {
  const found = pending.get(id);
  pending.delete(id);
  return found;
}
