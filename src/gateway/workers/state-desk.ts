/** The supervisor's side of policies' state: answers what workers ask, and frees what a worker held that is no more. */
import type { Limits, LimitsOptions } from '../../state/limits/limits.ts';
import type { SlotWish } from '../../state/slots.ts';
import type { SharedState } from '../../state/state.ts';
import type { OwnState } from '../own-state.ts';
import type { StateAnswer, StateQuestion, TakeQuestion } from './state-messages.ts';

/** Whatever a worker wants of a store that many gateways share it asks itself: here the memory of this one is meant. */
const LOCAL: LimitsOptions = { store: 'local', onStoreFailure: 'local', storeTimeout: 0, sync: 'exact' };

/** A worker as the desk knows it. */
export interface StateWorker {
  answerState(answer: StateAnswer): void;
}

export class StateDesk {
  private readonly state: Pick<OwnState, keyof SharedState>;
  private readonly limits: Limits;
  private readonly wishes = new Map<StateWorker, Map<number, SlotWish>>();

  constructor(state: Pick<OwnState, keyof SharedState>) {
    this.state = state;
    this.limits = state.limits(LOCAL);
  }

  onQuestion(worker: StateWorker, question: StateQuestion): void {
    switch (question.type) {
      case 'take':
        return this.decide(worker, question.questions);
      case 'wish':
        return void this.grant(worker, question);
      case 'release': {
        const wishes = this.wishes.get(worker);
        wishes?.get(question.id)?.release();
        wishes?.delete(question.id);
        return;
      }
      case 'find-key':
        return void this.find(worker, question.id, question.key);
      case 'key-used':
        return this.state.keys.used(question.key);
    }
  }

  /** The worker is no more: the slots that it held are free. */
  leave(worker: StateWorker): void {
    for (const wish of this.wishes.get(worker)?.values() ?? []) wish.release();
    this.wishes.delete(worker);
  }

  /** What is decided at once is answered in one message. */
  private decide(worker: StateWorker, questions: readonly TakeQuestion[]): void {
    const answers: { id: number; decision: Awaited<ReturnType<ReturnType<SharedState['limits']>['take']>> }[] = [];
    for (const { id, takes } of questions) {
      const decision = this.limits.take(takes);
      if (!(decision instanceof Promise)) answers.push({ id, decision });
      else {
        void decision.then((later) => worker.answerState({ type: 'decided', answers: [{ id, decision: later }] }));
      }
    }
    if (answers.length > 0) worker.answerState({ type: 'decided', answers });
  }

  private async grant(worker: StateWorker, { id, key, rule }: Extract<StateQuestion, { type: 'wish' }>): Promise<void> {
    const wish = this.state.slots.wish(key, rule);
    let wishes = this.wishes.get(worker);
    if (wishes === undefined) {
      wishes = new Map();
      this.wishes.set(worker, wishes);
    }
    wishes.set(id, wish);
    const outcome = await wish.outcome;
    if (outcome !== 'granted') wishes.delete(id);
    worker.answerState({ type: 'slot', id, outcome });
  }

  private async find(worker: StateWorker, id: number, key: string): Promise<void> {
    try {
      worker.answerState({ type: 'key', id, found: await this.state.keys.findAged(key), error: null });
    } catch (error) {
      worker.answerState({ type: 'key', id, found: null, error: (error as Error).message });
    }
  }
}
