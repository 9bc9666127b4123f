/** What answers say of the limits of their request: `X-RateLimit-*`, and the IETF's `RateLimit` and `RateLimit-Policy`. */
import { FixedLine, FixedName, type HeaderEdits } from '../../http/header-edits.ts';
import type { Standing } from '../../state/limits/limits.ts';
import { FIELDS, type Kind, type Measure } from './measure.ts';

/** Limits, and how each stood when the request was decided. */
export interface Tally {
  readonly measures: readonly Measure[];
  readonly standings: readonly Standing[];
  /** When the first of them was asked for, in milliseconds since the Unix epoch: no later than the store decided. */
  readonly asked: number;
  /** `RateLimit-Policy` of them all, where it is made already. */
  readonly policy: FixedLine | null;
}

interface LegacyNames {
  readonly remaining: FixedName;
  readonly reset: FixedName;
}

const NAMES: Readonly<Record<Kind, LegacyNames>> = {
  rate: namesOf('rate'),
  day: namesOf('day'),
  month: namesOf('month'),
};

const STANDING = new FixedName('RateLimit');

function namesOf(kind: Kind): LegacyNames {
  return { remaining: new FixedName(`${FIELDS[kind]}-Remaining`), reset: new FixedName(`${FIELDS[kind]}-Reset`) };
}

/** Writes the fields that the limits want. */
export function tellClient(edits: HeaderEdits, tally: Tally): void {
  tellLegacy(edits, 'rate', tally);
  tellLegacy(edits, 'day', tally);
  tellLegacy(edits, 'month', tally);
  tellTier(edits, tally);
  tellStandard(edits, tally);
}

/** There is one set of these fields: it tells of the limit that is nearest to refusing. */
function tellLegacy(edits: HeaderEdits, kind: Kind, { measures, standings, asked }: Tally): void {
  let tightest = -1;
  for (let i = 0; i < standings.length; i++) {
    const { legacy, kind: own } = measures[i];
    if (!legacy || own !== kind) continue;
    if (tightest < 0 || isTighter(measures[i], standings[i], measures[tightest], standings[tightest])) tightest = i;
  }
  if (tightest < 0) return;
  const standing = standings[tightest];
  const names = NAMES[kind];
  edits.setLine(measures[tightest].limitLine);
  edits.setFixed(names.remaining, String(standing.remaining));
  edits.setFixed(names.reset, String(resetOf(asked, standing)));
}

/** Whole seconds since the Unix epoch; a border between windows is that very second. */
export function resetOf(asked: number, { resetAfter }: Standing): number {
  return Math.ceil((asked + resetAfter) / 1000);
}

function isTighter(measure: Measure, standing: Standing, other: Measure, its: Standing): boolean {
  if (standing.allowed !== its.allowed) return !standing.allowed;
  return standing.remaining * other.capacity < its.remaining * measure.capacity;
}

function tellTier(edits: HeaderEdits, { measures }: Tally): void {
  for (let i = 0; i < measures.length; i++) {
    const { tierLine, legacy } = measures[i];
    if (tierLine === null || !legacy) continue;
    edits.setLine(tierLine);
    return;
  }
}

/** draft-ietf-httpapi-ratelimit-headers, sections 3 and 4. */
function tellStandard(edits: HeaderEdits, { measures, standings, policy }: Tally): void {
  let items = '';
  for (let i = 0; i < standings.length; i++) {
    if (!measures[i].standard) continue;
    items += `${items === '' ? '' : ', '}${measures[i].itemStart}${standings[i].remaining};t=${windowOf(standings[i])}`;
  }
  if (items === '') return;
  edits.setLine(policy ?? policyLine(measures));
  edits.setFixed(STANDING, items);
}

/** `RateLimit-Policy` of those limits that it tells of. */
export function policyLine(measures: readonly Measure[]): FixedLine {
  const items = measures.filter(({ standard }) => standard).map(({ policyItem }) => policyItem);
  return new FixedLine('RateLimit-Policy', items.join(', '));
}

/** Seconds. Of what is refused they are those of `Retry-After`, which section 6 of the draft does not want to come earlier. */
function windowOf({ allowed, resetAfter, retryAfter }: Standing): number {
  return Math.ceil((allowed || retryAfter === Number.POSITIVE_INFINITY ? resetAfter : retryAfter) / 1000);
}
