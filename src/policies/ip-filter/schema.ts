/** The options of `ipFilter`. */
import { z } from 'zod';
import { cidrSchema } from '../../config/scalar-schema.ts';

const listSchema = z.array(cidrSchema).min(1, { error: 'must hold at least one address or range' });

export const ipFilterSchema = z
  .strictObject({
    allow: listSchema.optional().describe('Addresses and ranges of clients that are let through; others are refused'),
    deny: listSchema.optional().describe('Addresses and ranges of clients that are refused, whatever `allow` says'),
  })
  .check((context) => {
    if (context.issues.length > 0) return;
    const { allow, deny } = context.value;
    if (allow !== undefined || deny !== undefined) return;
    context.issues.push({ code: 'custom', input: context.value, message: 'needs `allow` or `deny`, or both' });
  })
  .describe('Lets clients through by their address, which is the trusted one where proxies stand before the gateway.');

export type IpFilterOptions = z.output<typeof ipFilterSchema>;
