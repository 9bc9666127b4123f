/** The options of `apiKey`. */
import { z } from 'zod';
import { scopeSchema } from '../../config/access-schema.ts';
import { headerNameSchema } from '../../config/header-schema.ts';

export const apiKeySchema = z
  .strictObject({
    header: headerNameSchema
      .default('x-api-key')
      .describe('Where the key stands; it is not passed on. In `authorization` it comes after `Bearer` or `ApiKey`'),
    query: z
      .string()
      .regex(/^[\x21\x22\x24\x25\x27-\x3a\x3c\x3e-\x7e]{1,128}$/, { error: 'is not the name of a query parameter' })
      .optional()
      .describe('Name of a query parameter that may hold the key where the header is not there; without it none does'),
    scopes: z.array(scopeSchema).default([]).describe('What a key must be good for, all of it; others are refused 403'),
  })
  .describe('Finds out who calls by an API key, which is declared with a consumer or stands in the key store.');

export type ApiKeyOptions = z.output<typeof apiKeySchema>;
