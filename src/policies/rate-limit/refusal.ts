/** What is answered to a request for which there is not enough. */
import type { Reply } from '../../pipeline/policy.ts';
import type { Standing } from '../../state/limits/limits.ts';
import { resetOf, type Tally } from './fields.ts';
import type { Measure } from './measure.ts';

/** 429, with when to come again; 503 where no limit refused, but the store could not be asked. */
export function refusalOf({ measures, standings, asked }: Tally): Reply {
  const names: string[] = [];
  let last = -1;
  for (let i = 0; i < standings.length; i++) {
    if (standings[i].allowed || measures[i].shadow) continue;
    names.push(measures[i].name);
    // All of them must have enough: the last to do so says when.
    if (last < 0 || waitOf(standings[i]) > waitOf(standings[last])) last = i;
  }
  if (last < 0) return UNASKED;
  const measure = measures[last];
  const standing = standings[last];
  const retryAfter = Math.max(1, Math.ceil(waitOf(standing) / 1000));
  const tier = measure.tier === '' ? {} : { tier: measure.tier };
  const upgrade = measure.upgradeUrl === undefined ? {} : { upgradeUrl: measure.upgradeUrl };
  const reset = new Date(resetOf(asked, standing) * 1000).toISOString();
  return {
    status: 0,
    headers: { 'Retry-After': String(retryAfter) },
    body: '',
    code: 'rate_limited',
    detail: detailOf(measure, standing),
    // The extension member of the draft's problem type "quota exceeded" (section 5.1).
    members: { ...tier, reset, retryAfter, ...upgrade, 'violated-policies': names },
    reason: `over the limit ${names.join(', ')}`,
  };
}

const UNASKED: Reply = {
  status: 0,
  headers: {},
  body: '',
  code: 'overloaded',
  detail: 'limits cannot be counted at the moment',
  reason: 'the shared store of limits cannot be asked',
};

/** Milliseconds; of what will never be granted until all units are there, when it is as well off as ever. */
function waitOf({ retryAfter, resetAfter }: Standing): number {
  return retryAfter === Number.POSITIVE_INFINITY ? resetAfter : retryAfter;
}

function detailOf({ name, kind }: Measure, { retryAfter }: Standing): string {
  if (retryAfter === Number.POSITIVE_INFINITY) return `the request costs more than the limit "${name}" ever has`;
  if (kind === 'rate') return `too many requests for the limit "${name}"`;
  return `the quota of the ${kind} is used up`;
}
