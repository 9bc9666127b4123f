/** `anonymous`: lets requests through of whoever shows no credential, under a tier of their own; the last item of `anyOf`. */
import { z } from 'zod';
import { nameSchema } from '../../config/scalar-schema.ts';
import { defineAuthentication } from '../../pipeline/authentication.ts';
import { createIdentity } from '../../pipeline/identity.ts';

const schema = z
  .strictObject({
    tier: nameSchema.optional().describe('One of `tiers`, by which those without a credential are limited'),
    consumer: nameSchema.optional().describe('The name under which they are known, to upstreams too'),
    roles: z.array(nameSchema).default([]).describe('What they may do, by `roles`'),
  })
  .describe('Takes whoever shows no credential as a caller of his own kind: meant as the last item of `anyOf`.');

export const anonymous = defineAuthentication({
  name: 'anonymous',
  schema,
  check: ({ tier }, { tiers }) =>
    tier === undefined || Object.hasOwn(tiers, tier)
      ? []
      : [
          {
            severity: 'error',
            code: 'unknown_tier',
            path: ['tier'],
            message: 'no tier has this name',
            known: Object.keys(tiers),
          },
        ],
  create({ tier = null, consumer = null, roles }) {
    const identity = createIdentity({ kind: 'anonymous', tier, consumer, roles });
    return {
      challenge: '',
      effect: `takes everybody${tier === null ? '' : ` in the tier ${tier}`}`,
      isPresent: () => true,
      authenticate: () => identity,
    };
  },
});
