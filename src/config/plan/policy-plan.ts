/** What differs between two lists of policies of one scope. */
import { isDeepStrictEqual } from 'node:util';
import type { PolicyUse } from '../policy-schemas.ts';
import type { ValuePath } from '../source-tree.ts';
import { type Change, type ChangeCode, createChange, subjectOf } from './change.ts';
import { type Difference, differencesOf } from './difference.ts';
import { directionOf, policySettingAt } from './setting.ts';
import { labelOf, type PlacedUse, pairUses, type UsePair } from './use-pairing.ts';
import { writtenAt } from './written-value.ts';

/** Options with which a policy is there and does not protect. */
const weakening: Readonly<Record<string, { value: unknown; code: ChangeCode; words: string }>> = {
  'externalAuth.failOpen': {
    value: true,
    code: 'authentication_weakened',
    words: 'requests pass while the authorizer cannot be asked',
  },
  'rateLimit.mode': { value: 'shadow', code: 'limiting_weakened', words: 'requests beyond the limit are served' },
  'rateLimit.onStoreFailure': {
    value: 'open',
    code: 'limiting_weakened',
    words: 'nothing is limited while the store fails',
  },
};

/** The changes of the list at a path: `policies` of the whole gateway, of a service or of a route. */
export function planPolicies(path: ValuePath, before: readonly PolicyUse[], after: readonly PolicyUse[]): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  const pairs = pairUses(before, after);
  const changes = pairs.flatMap((pair) => planUse(path, pair));
  const kept = pairs.filter((pair) => pair.before !== null && pair.after !== null);
  const moved = kept.some(({ after: use }, index) => index > 0 && (use?.at ?? 0) < (kept[index - 1].after?.at ?? 0));
  if (moved || changes.length === 0) {
    changes.push(
      createChange('policies_reordered', path, {
        message: `the policies of ${scopeOf(path)} stand in another order, which counts among those of one phase`,
        before: before.map(({ name }) => name),
        after: after.map(({ name }) => name),
      }),
    );
  }
  return changes;
}

function planUse(path: ValuePath, { before, after }: UsePair): Change[] {
  if (before === null) return after === null ? [] : planAdded(placeOf(path, after), after);
  if (after !== null) return planOptions(placeOf(path, after), before.options, after.options);
  const place = placeOf(path, before);
  const message = `${place.words} is gone`;
  return [createChange('policy_removed', place.path, { message, before: writtenAt(place.path, before.options) })];
}

function planAdded(place: UsePlace, { options }: PlacedUse): Change[] {
  const message = `${place.words} is new`;
  const added = createChange('policy_added', place.path, { message, after: writtenAt(place.path, options) });
  return [added, ...weakenings(place, {}, options)];
}

/** A use where it stands: of several of one policy, which one. */
interface UsePlace {
  readonly policy: string;
  readonly path: ValuePath;
  readonly words: string;
}

function placeOf(path: ValuePath, use: PlacedUse): UsePlace {
  const { name, turn } = use;
  const which = turn === null ? '' : ` ${labelOf(use) ?? `number ${turn + 1}`}`;
  return {
    policy: name,
    path: turn === null ? [...path, name] : [...path, name, turn],
    words: `policy \`${name}\`${which} of ${scopeOf(path)}`,
  };
}

function planOptions(place: UsePlace, before: unknown, after: unknown): Change[] {
  const weakened = weakenings(place, before, after);
  const said = new Set(weakened.map((change) => change.path));
  const others = differencesOf(place.path, before, after).map((difference) => planOption(place, difference));
  return [...weakened, ...others.filter((change) => !said.has(change.path))];
}

function planOption(owner: UsePlace, { path, before, after }: Difference): Change {
  const option = path.slice(owner.path.length);
  const setting = policySettingAt(owner.policy, option);
  const direction = setting === undefined ? null : directionOf(setting, before, after);
  const values = { before: writtenAt(path, before), after: writtenAt(path, after) };
  const subject = option.length === 0 ? owner.words : `\`${option.join('.')}\` of ${owner.words}`;
  if (setting === undefined || direction === null) {
    return createChange('policy_changed', path, { message: `${subject} differs`, ...values });
  }
  const code: ChangeCode = setting.bounds === 'timeout' ? `timeout_${direction}` : `limit_${direction}`;
  const message = `${subject} lets ${direction === 'loosened' ? 'more' : 'less'} through`;
  return createChange(code, path, { message, ...values });
}

function weakenings(owner: UsePlace, before: unknown, after: unknown): Change[] {
  return differencesOf(owner.path, before, after).flatMap((difference) => {
    const option = difference.path.slice(owner.path.length);
    const key = [owner.policy, ...option].join('.');
    const rule = Object.hasOwn(weakening, key) ? weakening[key] : undefined;
    if (rule === undefined || difference.after !== rule.value) return [];
    const message = `\`${option.join('.')}\` of ${owner.words}: ${rule.words}`;
    return [createChange(rule.code, difference.path, { message, before: difference.before, after: difference.after })];
  });
}

function scopeOf(path: ValuePath): string {
  return path[0] === 'policies' ? 'all routes' : subjectOf(path);
}
