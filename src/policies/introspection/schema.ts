/** The options of `introspection`. */
import { z } from 'zod';
import { duration } from '../../config/scalar-schema.ts';
import { callUrlSchema } from '../../config/url-schema.ts';

export const introspectionSchema = z
  .strictObject({
    url: callUrlSchema.describe('The introspection endpoint of the authorization server'),
    clientId: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .describe('The name under which the gateway asks, by HTTP Basic authentication'),
    clientSecret: z.string().min(1).max(4096).optional().describe('The secret that goes with `clientId`'),
    cacheFor: duration(0, 3_600_000)
      .prefault('30s')
      .describe(
        'How long an answer about a valid token may be remembered, though never beyond the token’s own end; about others it is at most 5s',
      ),
    timeout: duration(1, 60_000)
      .prefault('2s')
      .describe('How long the endpoint may take; beyond it the request is refused with 503'),
  })
  .check((context) => {
    const { clientId, clientSecret } = context.value;
    if ((clientId === undefined) === (clientSecret === undefined)) return;
    const [given, missing] = clientId === undefined ? ['clientSecret', 'clientId'] : ['clientId', 'clientSecret'];
    context.issues.push({
      code: 'custom',
      input: context.value,
      path: [given],
      message: `has no meaning without \`${missing}\``,
    });
  })
  .describe(
    'Asks an authorization server about each Bearer token (RFC 7662), and remembers the answer for a while: for tokens that only their issuer can read.',
  );

export type IntrospectionOptions = z.output<typeof introspectionSchema>;
