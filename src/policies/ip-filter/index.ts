/** `ipFilter`: which addresses may come at all. */
import { createCidrSet } from '../../base/ip.ts';
import { definePolicy, type Reply } from '../../pipeline/policy.ts';
import { type IpFilterOptions, ipFilterSchema } from './schema.ts';

/** Every address there is: what is none is refused, also where nothing but `deny` is given. */
const EVERY = ['0.0.0.0/0', '::/0'];

export const ipFilter = definePolicy({
  name: 'ipFilter',
  phase: 'guard',
  schema: ipFilterSchema,
  create(options) {
    const allowed = createCidrSet(options.allow ?? EVERY);
    const denied = createCidrSet(options.deny ?? []);
    const outside = forbidden('the address is not among those that are allowed');
    const inside = forbidden('the address is among those that are denied');
    return {
      effect: effectOf(options),
      onRequest({ clientAddress }) {
        if (!allowed.contains(clientAddress)) return outside;
        return denied.contains(clientAddress) ? inside : undefined;
      },
    };
  },
});

function forbidden(reason: string): Reply {
  const detail = 'requests from this address are not served';
  return { status: 0, headers: {}, body: '', code: 'forbidden', detail, reason };
}

function effectOf({ allow, deny }: IpFilterOptions): string {
  const parts: string[] = [];
  if (allow !== undefined) parts.push(`allows ${allow.join(', ')}`);
  if (deny !== undefined) parts.push(`denies ${deny.join(', ')}`);
  return parts.join('; ');
}
