/** A worker's side of shared limits: its number is the ledger's once, and its own account from then on. */
import { expect, test } from 'vitest';
import type { Allowance } from '../../base/allowance.ts';
import { Shares, type SharesChannel } from './shares.ts';

function sharesWithMail(): { shares: Shares; mail: string[] } {
  const mail: string[] = [];
  const channel: SharesChannel = {
    ask: (key) => void mail.push(`ask ${key}`),
    give: (key, count) => void mail.push(`give ${key} ${count}`),
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
  shares.onRecall('k', 20);
  expect([allowance.granted, mail]).toEqual([1, ['give k 9']]);
  // Of the time before.
  shares.set([['k', 10]]);
  expect(allowance.granted).toBe(1);
  shares.onGrant('k', 2);
  expect(allowance.granted).toBe(3);
});

test('an endpoint that comes back goes on with the share, and with its own account of it', () => {
  const { shares } = sharesWithMail();
  const make = () => unused(shares);
  make();
  shares.set([['k', 5]]);
  const again = make();
  expect(again.granted).toBe(5);
  shares.onRecall('k', 5);
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
  expect(mail).toEqual(['give k 4']);
  const fresh = make();
  shares.set([['k', 3]]);
  expect(fresh.granted).toBe(3);
});
