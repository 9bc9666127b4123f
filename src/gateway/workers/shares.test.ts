/** A worker's side of shared limits: its number is the ledger's once, and its own account from then on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Allowance, OwnAllowance } from '../../base/allowance.ts';
import { Ledger, type LedgerWorker } from './ledger.ts';
import { Shares, type SharesChannel } from './shares.ts';

function sharesWithMail(): { shares: Shares; mail: string[] } {
  const mail: string[] = [];
  const channel: SharesChannel = {
    ask: (key) => void mail.push(`ask ${key}`),
    give: (key, count) => void mail.push(`give ${key} ${count}`),
    giveUnasked: (key, count) => void mail.push(`return ${key} ${count}`),
  };
  return { shares: new Shares(channel), mail };
}

/** An allowance of which nothing is in use. */
function unused(shares: Shares): Allowance {
  return shares.allowance(
    'k',
    () => 0,
    () => {},
  );
}

test('what was given back while the ledger’s number was on its way is not had again', () => {
  const { shares, mail } = sharesWithMail();
  const allowance = shares.allowance(
    'k',
    () => 1,
    () => {},
  );
  shares.set([['k', 10]]);
  expect(allowance.granted).toBe(10);
  shares.onRecall('k', 20, false);
  expect([allowance.granted, mail]).toEqual([1, ['give k 9']]);
  // Of the time before.
  shares.set([['k', 10]]);
  expect(allowance.granted).toBe(1);
  shares.onGrant('k', 2, true);
  expect(allowance.granted).toBe(3);
});

test('an endpoint that comes back goes on with the share, and with its own account of it', () => {
  const { shares } = sharesWithMail();
  const make = () => unused(shares);
  make();
  shares.set([['k', 5]]);
  const again = make();
  shares.commit();
  expect(again.granted).toBe(5);
  shares.onRecall('k', 5, false);
  shares.set([['k', 5]]);
  expect(again.granted).toBe(0);
});

test('a limit that was forgotten begins anew, and what is of no use is given back', () => {
  const { shares, mail } = sharesWithMail();
  const make = () => unused(shares);
  make();
  shares.set([['k', 5]]);
  shares.retain(() => false);
  shares.set([['k', 4]]);
  expect(mail).toEqual(['return k 4']);
  const fresh = make();
  shares.set([['k', 3]]);
  expect(fresh.granted).toBe(3);
});

test('what a generation that never goes live would have had is still the running one’s', () => {
  const { shares, mail } = sharesWithMail();
  let used = 4;
  const running = shares.allowance(
    'k',
    () => used,
    () => {},
  );
  shares.set([['k', 5]]);
  unused(shares);
  shares.discard();
  shares.onRecall('k', 5, false);
  expect(mail).toEqual(['give k 1']);
  const answers: boolean[] = [];
  used = 5;
  running.ask((grown) => void answers.push(grown));
  shares.onGrant('k', 2, true);
  expect([running.granted, answers]).toEqual([6, [true]]);
});

test('those who wait are answered when a later generation has the share, and when the limit is no more', () => {
  const { shares } = sharesWithMail();
  const answers: string[] = [];
  const ask = (allowance: Allowance, name: string) => allowance.ask((grown) => void answers.push(`${name} ${grown}`));
  const old = unused(shares);
  ask(old, 'first');
  unused(shares);
  shares.commit();
  ask(old, 'second');
  shares.onGrant('k', 1, true);
  expect(answers).toEqual(['first true']);
  shares.retain(() => false);
  expect(answers).toEqual(['first true', 'second false']);
});

/** Workers that share a limit, as their processes do, with the mail between them and the ledger in between. */
class Team {
  readonly ledger = new Ledger(PARTS);
  readonly members: Member[] = [];
  private readonly mail: (() => void)[] = [];

  constructor(limit: number) {
    this.ledger.setLimit('k', limit);
    for (let i = 0; i < PARTS; i++) this.begin();
  }

  begin(): void {
    const { mail, ledger } = this;
    const tell = (what: () => void) => void mail.push(what);
    const shares = new Shares({
      ask: (key) => tell(() => ledger.onAsk(end, key)),
      give: (key, count) => tell(() => ledger.onGiven(end, key, count)),
      giveUnasked: (key, count) => tell(() => ledger.onReturned(end, key, count)),
    });
    const hears = (): boolean => this.members.includes(member);
    const end: LedgerWorker = {
      grant: (...grant) => tell(() => hears() && shares.onGrant(...grant)),
      recall: (...recall) => tell(() => hears() && shares.onRecall(...recall)),
    };
    const member: Member = { end, used: 0, allowance: new OwnAllowance(0) };
    member.allowance = shares.allowance(
      'k',
      () => member.used,
      () => {},
    );
    shares.set(ledger.join(end));
    this.members.push(member);
  }

  /** Its process ends; what it said is read after that. */
  end(index: number): void {
    this.ledger.leave(this.members[index].end);
    this.members.splice(index, 1);
    this.begin();
  }

  /** How many were refused, all in one moment; none may be left without an answer. */
  take(index: number, count: number): number {
    const member = this.members[index];
    let refused = 0;
    let waiting = 0;
    for (let i = 0; i < count; i++) {
      member.used++;
      if (member.used <= member.allowance.granted) continue;
      waiting++;
      member.allowance.ask((grown) => {
        waiting--;
        if (grown || member.used <= member.allowance.granted) return;
        member.used--;
        refused++;
      });
    }
    this.deliver();
    expect(waiting).toBe(0);
    return refused;
  }

  deliver(): void {
    for (let message = this.mail.shift(); message !== undefined; message = this.mail.shift()) message();
  }

  get used(): number {
    return this.members.reduce((sum, { used }) => sum + used, 0);
  }
}

interface Member {
  readonly end: LedgerWorker;
  used: number;
  allowance: Allowance;
}

const PARTS = 3;
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 12 }), of: fc.nat(PARTS - 1) }) },
    { weight: 5, arbitrary: fc.record({ release: fc.integer({ min: 1, max: 3 }), of: fc.nat(PARTS - 1) }) },
    { weight: 1, arbitrary: fc.record({ limit: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ end: fc.nat(PARTS - 1) }) },
  ),
  { maxLength: 200 },
);

test('a limit that changes is never exceeded by who comes, nor is anybody refused below it, whoever begins and ends', () => {
  fc.assert(
    fc.property(fc.nat(30), steps, (first, all) => {
      const team = new Team(first);
      let limit = first;
      for (const step of all) {
        if ('limit' in step) team.ledger.setLimit('k', (limit = step.limit));
        else if ('end' in step) team.end(step.end);
        else if ('release' in step) team.members[step.of].used = Math.max(0, team.members[step.of].used - step.release);
        else {
          const room = Math.max(0, limit - team.used);
          expect(team.take(step.of, step.take)).toBe(Math.max(0, step.take - room));
        }
        team.deliver();
      }
    }),
  );
});

test('what a worker said is read after its end: nothing is given to it', () => {
  const team = new Team(6);
  const [{ allowance }] = team.members;
  for (let i = 0; i < 3; i++) allowance.ask(() => {});
  team.end(0);
  team.deliver();
  expect([team.take(0, 6), team.used]).toEqual([0, 6]);
});
