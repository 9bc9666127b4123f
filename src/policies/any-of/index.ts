/** `anyOf`: several ways to say who calls, of which the first whose credential is present decides. */
import { z } from 'zod';
import type { AccessConfig, PolicyProblem, PolicyUse } from '../../config/policy-schemas.ts';
import { type Authentication, type Authenticator, hooksOf, refusalReply } from '../../pipeline/authentication.ts';
import type { Policy, PolicyExchange, PolicyHooks, PolicyServices } from '../../pipeline/policy.ts';

/** The policy, of the authentications that may stand in it. */
export function createAnyOf(authentications: readonly Authentication<never>[]): Policy<PolicyUse[]> {
  const known = new Map(authentications.map((one) => [one.name, one as unknown as Authentication]));
  return {
    name: 'anyOf',
    phase: 'authenticate',
    schema: schemaOf(known),
    check: (uses, config) => [...problemsOf(uses, known, config), ...unreachedOf(uses)],
    ownHeaders: (uses) => uses.flatMap(({ name, options }) => known.get(name)?.ownHeaders?.(options) ?? []),
    secretNames: (uses) => uses.flatMap(({ name, options }) => known.get(name)?.secretNames?.(options) ?? []),
    create: (uses, services) => hooksOfAny(createAll(uses, known, services)),
  };
}

function problemsOf(
  uses: readonly PolicyUse[],
  known: ReadonlyMap<string, Authentication>,
  config: AccessConfig,
): PolicyProblem[] {
  return uses.flatMap(({ name, options }, index) =>
    (known.get(name)?.check?.(options, config) ?? []).map((problem) => ({
      ...problem,
      path: [index, name, ...problem.path],
    })),
  );
}

/** Behind one that takes whatever comes nobody is asked: credentials would be let through unseen. */
function unreachedOf(uses: readonly PolicyUse[]): PolicyProblem[] {
  const last = uses.findIndex(({ name }) => name === 'anonymous' || name === 'externalAuth');
  if (last < 0) return [];
  const wordsOf = (name: string) => `\`${name}\` is never asked: \`${uses[last].name}\` before it takes whatever comes`;
  return uses.slice(last + 1).map(({ name }, offset) => ({
    severity: 'warning',
    code: 'no_effect',
    path: [last + 1 + offset, name],
    message: wordsOf(name),
  }));
}

function schemaOf(known: ReadonlyMap<string, Authentication>): z.ZodType<PolicyUse[]> {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, { schema }] of known) shape[name] = schema.optional();
  const item = z
    .strictObject(shape)
    .check((context) => {
      const names = Object.keys(context.value);
      if (context.issues.length > 0 || names.length === 1) return;
      const message =
        names.length === 0 ? 'expected one policy, found none' : 'holds several: begin a new item for each';
      context.issues.push({ code: 'custom', input: context.value, message });
    })
    .transform((value): PolicyUse => {
      const name = Object.keys(value)[0];
      return { name, options: value[name] };
    })
    .meta({ minProperties: 1, maxProperties: 1 });
  return z
    .array(item)
    .min(1)
    .describe('Several ways to say who calls: the first whose credential is present decides.') as unknown as z.ZodType<
    PolicyUse[]
  >;
}

function createAll(
  uses: readonly PolicyUse[],
  known: ReadonlyMap<string, Authentication>,
  services: PolicyServices,
): Authenticator[] {
  const made: Authenticator[] = [];
  try {
    for (const { name, options } of uses) made.push((known.get(name) as Authentication).create(options, services));
    return made;
  } catch (error) {
    for (const one of made) one.close?.();
    throw error;
  }
}

function hooksOfAny(authenticators: readonly Authenticator[]): PolicyHooks {
  const hooks = authenticators.map(hooksOf);
  const challenges = [...new Set(authenticators.map(({ challenge }) => challenge).filter((text) => text !== ''))];
  const nobody = refusalReply({ reason: 'no credential' }, challenges.join(', '));
  const ending = hooks.filter(({ onEnd }) => onEnd !== undefined);
  return {
    effect: `the first credential that is present decides: ${authenticators.map(({ effect }) => effect).join('; or ')}`,
    onRequest(exchange: PolicyExchange) {
      for (let i = 0; i < authenticators.length; i++) {
        if (authenticators[i].isPresent(exchange)) return hooks[i].onRequest?.(exchange);
      }
      return nobody;
    },
    ...(ending.length === 0
      ? {}
      : {
          onEnd(exchange: PolicyExchange) {
            for (const one of ending) one.onEnd?.(exchange);
          },
        }),
    close() {
      for (const one of authenticators) one.close?.();
    },
  };
}
