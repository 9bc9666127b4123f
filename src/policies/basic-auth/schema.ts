/** The options of `basicAuth`. */
import { z } from 'zod';
import { nameSchema } from '../../config/scalar-schema.ts';
import { PasswordHashError, parsePasswordHash } from './password-hash.ts';

const hashSchema = z
  .string({ error: 'expected a hash of a password, quoted' })
  .max(512)
  .check((context) => {
    try {
      parsePasswordHash(context.value);
    } catch (error) {
      if (!(error instanceof PasswordHashError)) throw error;
      context.issues.push({ code: 'custom', input: context.value, message: error.message });
    }
  });

const userNameSchema = z
  .string()
  .max(256)
  .regex(/^[^:\u0000-\u001f\u007f]+$/, {
    error: 'must be there, and hold neither a colon, which ends it (RFC 7617 section 2), nor control characters',
  })
  .transform((name) => name.normalize('NFC'));

const userSchema = z.strictObject({
  name: userNameSchema.describe('The name that the user types, unique; upstreams are told it by `X-User-ID`'),
  passwordHash: hashSchema.describe(
    'Hash of the password by scrypt or bcrypt, such as `portico hash-password` makes; the password itself stands nowhere',
  ),
  roles: z.array(nameSchema).default([]).describe('What the user may do, by `roles`'),
  tier: nameSchema.optional().describe('One of `tiers`, by which the user is limited'),
});

export const basicAuthSchema = z
  .strictObject({ users: z.array(userSchema).min(1).max(10_000).describe('Who may call') })
  .check((context) => {
    const seen = new Set<string>();
    context.value.users.forEach(({ name }, index) => {
      if (seen.has(name)) {
        context.issues.push({
          code: 'custom',
          input: context.value,
          path: ['users', index, 'name'],
          message: 'is the name of a user before it',
          params: { finding: 'duplicate_name' },
        });
      }
      seen.add(name);
    });
  })
  .describe('Takes users by name and password (HTTP Basic authentication, RFC 7617).');

export type BasicAuthOptions = z.output<typeof basicAuthSchema>;
