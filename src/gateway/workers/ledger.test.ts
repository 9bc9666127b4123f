/** Shared limits: never more than the limit in all hands together, and nobody refused while another has some to spare. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger, type LedgerWorker } from './ledger.ts';

/** A worker that uses what it is granted, answers later, and keeps account. */
class FakeWorker implements LedgerWorker {
  granted = 0;
  used = 0;
  refused = 0;
  wanted = 0;
  private readonly ledger: Ledger;
  private readonly mail: (() => void)[];

  constructor(ledger: Ledger, mail: (() => void)[]) {
    this.ledger = ledger;
    this.mail = mail;
    this.granted = ledger.join(this).get('k') ?? 0;
  }

  take(): void {
    if (this.used < this.granted) {
      this.used++;
      return;
    }
    this.wanted++;
    this.mail.push(() => this.ledger.onAsk(this, 'k'));
  }

  release(): void {
    if (this.used > 0) this.used--;
  }

  grant(_key: string, count: number): void {
    this.mail.push(() => {
      this.granted += count;
      this.wanted--;
      if (count === 0) this.refused++;
      else this.used++;
    });
  }

  recall(_key: string, count: number): void {
    this.mail.push(() => {
      const given = Math.min(count, this.granted - this.used);
      this.granted -= given;
      this.mail.push(() => this.ledger.onGiven(this, 'k', given));
    });
  }
}

function deliver(mail: (() => void)[]): void {
  for (let message = mail.shift(); message !== undefined; message = mail.shift()) message();
}

describe('a shared limit of more workers than before', () => {
  it('is shared anew: what the others do not use is there for the new one to begin with', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(2);
    ledger.setLimit('k', 12);
    const workers = [new FakeWorker(ledger, mail), new FakeWorker(ledger, mail)];
    for (let i = 0; i < 5; i++) workers[0].take();
    deliver(mail);
    ledger.setParts(3);
    deliver(mail);
    workers.push(new FakeWorker(ledger, mail));
    // The first one has five in use, and keeps those.
    expect(workers.map(({ granted }) => granted)).toEqual([5, 4, 3]);
    for (let i = 0; i < 7; i++) {
      workers[2].take();
      deliver(mail);
    }
    expect([workers[2].used, workers[2].refused]).toEqual([7, 0]);
  });

  it('and of fewer: what one leaves is there for the others', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(3);
    ledger.setLimit('k', 12);
    const workers = Array.from({ length: 3 }, () => new FakeWorker(ledger, mail));
    ledger.setParts(2);
    deliver(mail);
    expect(workers.map(({ granted }) => granted)).toEqual([4, 4, 4]);
    ledger.leave(workers[2]);
    for (let i = 0; i < 8; i++) {
      workers[0].take();
      deliver(mail);
    }
    expect([workers[0].used, workers[0].refused]).toEqual([8, 0]);
  });
});

describe('a shared limit', () => {
  it('goes to whoever needs it, to the last one', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(2);
    ledger.setLimit('k', 4);
    const [one, two] = [new FakeWorker(ledger, mail), new FakeWorker(ledger, mail)];
    for (let i = 0; i < 4; i++) {
      one.take();
      deliver(mail);
    }
    expect([one.used, one.refused, two.granted]).toEqual([4, 0, 0]);
    two.take();
    deliver(mail);
    expect(two.refused).toBe(1);
    one.release();
    two.take();
    deliver(mail);
    expect([one.used, two.used, two.refused]).toEqual([3, 1, 1]);
  });

  it('of less than the number of workers is had by the first who asks', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(4);
    ledger.setLimit('k', 1);
    const workers = Array.from({ length: 4 }, () => new FakeWorker(ledger, mail));
    for (const worker of workers) worker.take();
    deliver(mail);
    expect(workers.map(({ used }) => used)).toEqual([1, 0, 0, 0]);
    expect(workers.map(({ refused }) => refused)).toEqual([0, 1, 1, 1]);
  });

  it('comes back from a worker that is no more', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(2);
    ledger.setLimit('k', 2);
    const [one, two] = [new FakeWorker(ledger, mail), new FakeWorker(ledger, mail)];
    one.take();
    deliver(mail);
    ledger.leave(one);
    two.take();
    two.take();
    deliver(mail);
    expect([two.used, two.refused]).toEqual([2, 0]);
  });

  it('is not waited for where a worker does not answer, and has what that one gives back when it does', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(2);
    ledger.setLimit('k', 4);
    const [one, two] = [new FakeWorker(ledger, mail), new FakeWorker(ledger, mail)];
    const late: (() => void)[] = [];
    const { recall } = two;
    two.recall = (...recalled) => void late.push(() => recall.apply(two, recalled));
    for (let i = 0; i < 3; i++) one.take();
    deliver(mail);
    expect([one.used, one.wanted]).toEqual([2, 1]);
    ledger.onSilent(two);
    deliver(mail);
    expect([one.used, one.refused]).toEqual([2, 1]);
    one.take();
    deliver(mail);
    expect([one.wanted, one.refused, late.length]).toEqual([0, 2, 1]);
    deliver(late);
    ledger.onHeard(two);
    deliver(mail);
    one.take();
    deliver(mail);
    expect([one.used, two.granted]).toEqual([3, 1]);
  });

  it('that sinks is met as workers give back, and one that grows is given out', () => {
    const mail: (() => void)[] = [];
    const ledger = new Ledger(2);
    ledger.setLimit('k', 8);
    const [one, two] = [new FakeWorker(ledger, mail), new FakeWorker(ledger, mail)];
    ledger.setLimit('k', 2);
    deliver(mail);
    expect(one.granted + two.granted).toBeLessThanOrEqual(2);
    ledger.setLimit('k', 6);
    for (let i = 0; i < 6; i++) one.take();
    deliver(mail);
    expect(one.used).toBe(6);
  });

  it('of another name is refused, not waited for', () => {
    const ledger = new Ledger(2);
    const refusals: number[] = [];
    const worker = { grant: (_key: string, count: number) => void refusals.push(count), recall() {} };
    ledger.join(worker);
    ledger.onAsk(worker, 'gone');
    expect(refusals).toEqual([0]);
  });

  it('is never exceeded, and never refused while it is not used up, whatever happens', () => {
    const step = fc.record({ worker: fc.nat(2), take: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 200 }), (limit, steps) => {
        const mail: (() => void)[] = [];
        const ledger = new Ledger(3);
        ledger.setLimit('k', limit);
        const workers = Array.from({ length: 3 }, () => new FakeWorker(ledger, mail));
        const used = (): number => workers.reduce((sum, worker) => sum + worker.used, 0);
        for (const { worker: index, take } of steps) {
          const worker = workers[index];
          const before = used();
          const refused = worker.refused;
          if (take) worker.take();
          else worker.release();
          deliver(mail);
          expect(used()).toBeLessThanOrEqual(limit);
          expect(worker.wanted).toBe(0);
          if (take) expect(worker.refused - refused).toBe(before < limit ? 0 : 1);
        }
      }),
    );
  });
});
