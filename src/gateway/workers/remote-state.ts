/** A worker's side of policies' state: asks its supervisor, the questions of one turn together. */
import type { GatewayConfig } from '../../config/model.ts';
import type { ApiKey, KeyDirectory } from '../../state/keys/api-key.ts';
import type { Decision, Limits, LimitsOptions } from '../../state/limits/limits.ts';
import type { SlotOutcome, SlotRule, Slots, SlotWish } from '../../state/slots.ts';
import type { GatewayState, PreparedState } from '../gateway-state.ts';
import type { StateAnswer, StateQuestion, TakeQuestion } from './state-messages.ts';

interface PendingKey {
  resolve(key: ApiKey | null): void;
  reject(error: Error): void;
}

export class RemoteState implements GatewayState {
  readonly slots: Slots;
  readonly keys: KeyDirectory;
  private readonly send: (question: StateQuestion) => void;
  private nextId = 1;
  private questions: TakeQuestion[] = [];
  private readonly decisions = new Map<number, (decision: Decision) => void>();
  private readonly slotsAsked = new Map<number, (outcome: SlotOutcome) => void>();
  private readonly keysAsked = new Map<number, PendingKey>();

  constructor(send: (question: StateQuestion) => void) {
    this.send = send;
    this.slots = { wish: (key, rule) => this.wish(key, rule) };
    this.keys = {
      find: (id) => this.findKey(id),
      used: (id) => this.send({ type: 'key-used', key: id, at: Date.now() }),
    };
  }

  limits(options: LimitsOptions): Limits {
    return {
      take: (takes) =>
        new Promise((resolve) => {
          const id = this.nextId++;
          this.decisions.set(id, resolve);
          this.questions.push({ id, options, takes });
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

  private findKey(key: string): Promise<ApiKey | null> {
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
        if (answer.error === null) pending?.resolve(answer.key);
        else pending?.reject(new Error(answer.error));
        return;
      }
      case 'key-changed':
        return;
    }
  }

  prepare(_config: GatewayConfig): Promise<PreparedState> {
    return Promise.resolve({ commit: () => {}, discard: () => {} });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function taken<T>(pending: Map<number, T>, id: number): T | undefined {
  const found = pending.get(id);
  pending.delete(id);
  return found;
}
