/** By what requests are told apart where something is counted: the client's address, who calls, what the request says. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { siteOf } from '../base/ip.ts';
import { headerNameSchema } from '../config/header-schema.ts';
import { claimAt } from './claim-rule.ts';
import { compileExpression } from './expression.ts';
import { expressionSchema } from './expression-schema.ts';
import type { Identity } from './identity.ts';
import type { PolicyExchange } from './policy.ts';

const nameSchema = z.string().min(1).max(256);

const partSchema = z.union(
  [
    z.enum(['ip', 'identity', 'consumer', 'route']),
    z.strictObject({ header: headerNameSchema.describe('The value of this header') }),
    z.strictObject({ cookie: nameSchema.describe('The value of this cookie') }),
    z.strictObject({ query: nameSchema.describe('The first value of this query parameter') }),
    z.strictObject({ claim: nameSchema.describe('The value of this claim') }),
    z.strictObject({ expression: expressionSchema('key').describe('What this CEL expression gives') }),
  ],
  {
    error: 'expected ip, identity, consumer, route, { header }, { cookie }, { query }, { claim } or { expression }',
  },
);

export type RequestKeyPart = z.output<typeof partSchema>;

/** One part, or several that count together. */
export const requestKeySchema = z
  .union([partSchema, z.array(partSchema).min(1).max(8)], {
    error:
      'expected ip, identity, consumer, route, { header }, { cookie }, { query }, { claim }, { expression }, or a list of these',
  })
  .transform((key): RequestKeyPart[] => (Array.isArray(key) ? key : [key]));

export interface RequestKey {
  /** For people: by what. */
  readonly words: string;
  /**
   * The key of a request: two are equal only where all parts are. A part that the request does not have is the client's
   * address, of IPv6 the first 64 bits of it. Its length is bounded.
   */
  of(exchange: PolicyExchange): string;
}

/** Longest part that stands in a key as it is; of a longer one its digest does. */
const MAX_TEXT = 128;

/** Before what a part says, and before an address: neither can be taken for the other. */
const SAID = '=';
const ADDRESS = '@';

type Reader = (exchange: PolicyExchange) => string | null | undefined;

/** All requests are one. */
export const oneKey: RequestKey = { words: 'all together', of: () => '' };

export function createRequestKey(parts: readonly RequestKeyPart[], clock: Clock): RequestKey {
  const readers = parts.map((part) => readerOf(part, clock));
  const words = `by ${parts.map(wordsOf).join(' and ')}`;
  if (readers.length === 1) {
    const [read] = readers;
    return { words, of: (exchange) => partOf(read, exchange) };
  }
  return {
    words,
    of(exchange) {
      let key = '';
      for (let i = 0; i < readers.length; i++) {
        const part = partOf(readers[i], exchange);
        // With its length before it no part can be written so that it looks like two.
        key += `${part.length}${part}`;
      }
      return key;
    },
  };
}

function partOf(read: Reader, exchange: PolicyExchange): string {
  const said = read(exchange);
  // Within its network a host of IPv6 takes whichever address it likes: it would never meet a limit.
  if (said === null || said === undefined) return ADDRESS + siteOf(exchange.clientAddress);
  if (said.length <= MAX_TEXT) return SAID + said;
  return (
    SAID +
    createHash('sha256')
      .update(said)
      .digest('base64url')
      .padEnd(MAX_TEXT + 1, '=')
  );
}

function readerOf(part: RequestKeyPart, clock: Clock): Reader {
  if (typeof part === 'string') return named[part];
  if ('header' in part) {
    const name = part.header.toLowerCase();
    return (exchange) => exchange.header(name);
  }
  if ('cookie' in part) return (exchange) => exchange.cookie(part.cookie);
  if ('query' in part) return (exchange) => exchange.queryParameter(part.query);
  if ('claim' in part) return (exchange) => claimText(exchange, part.claim);
  const expression = compileExpression(part.expression, 'key');
  return (exchange) => expression.text(exchange, clock);
}

const named = {
  ip: () => null,
  identity: ({ identity }: PolicyExchange) => identityText(identity),
  consumer: ({ identity }: PolicyExchange) =>
    // No kind of credential begins with a dollar sign: a consumer cannot be named so that it is somebody else.
    isUnknown(identity) || identity.consumer === null ? identityText(identity) : `$${identity.consumer}`,
  route: (exchange: PolicyExchange) => exchange.routeName,
} satisfies Record<string, Reader>;

/** Also where the unknown have a name in common: one of them is not to use up what is there for all. */
function isUnknown(identity: Identity | null): identity is null {
  return identity === null || identity.kind === 'anonymous';
}

/** Null where nobody is known by name. */
function identityText(identity: Identity | null): string | null {
  if (isUnknown(identity)) return null;
  const { kind, subject, credential } = identity;
  if (subject !== '') return `${kind}:${subject}`;
  return credential === '' ? null : `${kind}#${credential}`;
}

function claimText({ identity }: PolicyExchange, name: string): string | undefined {
  const value = identity === null ? undefined : claimAt(identity.claims, name);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function wordsOf(part: RequestKeyPart): string {
  if (typeof part === 'string') return part === 'ip' ? 'address' : part;
  if ('expression' in part) return part.expression;
  const [[kind, name]] = Object.entries(part);
  return `${kind} ${name}`;
}
