/** What differs between two lists of policies of one scope. */
import { isDeepStrictEqual } from 'node:util';
import type { PolicyUse } from '../policy-schemas.ts';
import type { ValuePath } from '../source-tree.ts';
import { type Change, type ChangeCode, createChange, subjectOf } from './change.ts';
import { type Difference, differencesOf } from './difference.ts';
import { directionOf, policySettingAt } from './setting.ts';
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
  // Of a name that stands twice the last one counts, in the place of the first.
  const from = new Map(before.map(({ name, options }) => [name, options]));
  const to = new Map(after.map(({ name, options }) => [name, options]));
  const changes: Change[] = [];
  const scope = scopeOf(path);
  for (const [name, options] of from) {
    const place = [...path, name];
    if (to.has(name)) {
      changes.push(...planOptions(path, name, options, to.get(name)));
      continue;
    }
    const message = `policy \`${name}\` of ${scope} is gone`;
    changes.push(createChange('policy_removed', place, { message, before: writtenAt(place, options) }));
  }
  for (const [name, options] of to) {
    if (from.has(name)) continue;
    const place = [...path, name];
    const message = `policy \`${name}\` of ${scope} is new`;
    changes.push(createChange('policy_added', place, { message, after: writtenAt(place, options) }));
    changes.push(...weakenings(path, name, {}, options));
  }
  const kept = [...from.keys()].filter((name) => to.has(name));
  const moved = [...to.keys()].filter((name) => from.has(name)).some((name, index) => name !== kept[index]);
  if (moved || changes.length === 0) {
    changes.push(
      createChange('policies_reordered', path, {
        message: `the policies of ${scope} stand in another order, which counts among those of one phase`,
        before: before.map(({ name }) => name),
        after: after.map(({ name }) => name),
      }),
    );
  }
  return changes;
}

function planOptions(path: ValuePath, name: string, before: unknown, after: unknown): Change[] {
  const weakened = weakenings(path, name, before, after);
  const said = new Set(weakened.map((change) => change.path));
  const others = differencesOf([...path, name], before, after).map((difference) => planOption(path, name, difference));
  return [...weakened, ...others.filter((change) => !said.has(change.path))];
}

function planOption(path: ValuePath, name: string, { path: place, before, after }: Difference): Change {
  const option = place.slice(path.length + 1);
  const setting = policySettingAt(name, option);
  const direction = setting === undefined ? null : directionOf(setting, before, after);
  const values = { before: writtenAt(place, before), after: writtenAt(place, after) };
  const owner = `policy \`${name}\` of ${scopeOf(path)}`;
  const subject = option.length === 0 ? owner : `\`${option.join('.')}\` of ${owner}`;
  if (setting === undefined || direction === null) {
    return createChange('policy_changed', place, { message: `${subject} differs`, ...values });
  }
  const code: ChangeCode = setting.bounds === 'timeout' ? `timeout_${direction}` : `limit_${direction}`;
  const message = `${subject} lets ${direction === 'loosened' ? 'more' : 'less'} through`;
  return createChange(code, place, { message, ...values });
}

function weakenings(path: ValuePath, name: string, before: unknown, after: unknown): Change[] {
  return differencesOf([...path, name], before, after).flatMap((difference) => {
    const option = difference.path.slice(path.length + 1);
    const key = [name, ...option].join('.');
    const rule = Object.hasOwn(weakening, key) ? weakening[key] : undefined;
    if (rule === undefined || difference.after !== rule.value) return [];
    const message = `\`${option.join('.')}\` of policy \`${name}\` of ${scopeOf(path)}: ${rule.words}`;
    return [createChange(rule.code, difference.path, { message, before: difference.before, after: difference.after })];
  });
}

function scopeOf(path: ValuePath): string {
  return path[0] === 'policies' ? 'all routes' : subjectOf(path);
}
