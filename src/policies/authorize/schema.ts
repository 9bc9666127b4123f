/** The options of `authorize`. */
import { z } from 'zod';
import { permissionSchema, scopeSchema } from '../../config/access-schema.ts';
import { nameSchema } from '../../config/scalar-schema.ts';
import { claimRulesSchema } from '../../pipeline/claim-rule.ts';
import { expressionSchema } from '../../pipeline/expression-schema.ts';

const wantedSchema = permissionSchema.refine((permission) => !permission.includes('*'), {
  error: 'must name one permission: * stands only in what is granted',
});

export const authorizeSchema = z
  .strictObject({
    roles: z.array(nameSchema).min(1).optional().describe('Roles, one of which the caller must have'),
    scopes: z.array(scopeSchema).min(1).optional().describe('Scopes, all of which the credential must have'),
    permissions: z
      .array(wantedSchema)
      .min(1)
      .optional()
      .describe(
        'Permissions such as orders:read, all of which must be granted: by a role of the caller (see `roles`), by a scope, or by a claim `permissions`',
      ),
    claims: claimRulesSchema
      .optional()
      .describe(
        'Claims that the credential must have: a value, or `{ oneOf: [...] }`; a list must hold it. `a.b` leads into maps',
      ),
    when: expressionSchema('condition')
      .optional()
      .describe('A CEL condition over `request` and `identity` that must be true'),
  })
  .check((context) => {
    if (context.issues.length > 0) return;
    if (Object.values(context.value).some((value) => value !== undefined)) return;
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: 'needs at least one of `roles`, `scopes`, `permissions`, `claims` and `when`',
    });
  })
  .describe('Lets those callers through to whom all of its rules apply; others get 401 or 403.');

export type AuthorizeOptions = z.output<typeof authorizeSchema>;
