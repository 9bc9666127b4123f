/** `apiKey`: who calls, by a key that is declared with a consumer or stands in the key store. */
import type { AccessConfig } from '../../config/policy-schemas.ts';
import { credentialsOf } from '../../http/authorization.ts';
import { Accounts } from '../../pipeline/accounts.ts';
import {
  type AuthenticationOutcome,
  type AuthenticationRefusal,
  type Authenticator,
  defineAuthentication,
} from '../../pipeline/authentication.ts';
import { createIdentity, grants, type Identity } from '../../pipeline/identity.ts';
import type { PolicyExchange, PolicyServices } from '../../pipeline/policy.ts';
import type { ApiKey } from '../../state/keys/api-key.ts';
import { isKeyOf, parseKeyId } from '../../state/keys/key-text.ts';
import { type ApiKeyOptions, apiKeySchema } from './schema.ts';

export const apiKey = defineAuthentication({
  name: 'apiKey',
  schema: apiKeySchema,
  secretNames: ({ header, query }: ApiKeyOptions) => (query === undefined ? [header] : [header, query]),
  create: (options: ApiKeyOptions, services) => new ApiKeyAuthenticator(options, services),
});

/** What is made of a key once, and used for every request with it. */
interface Known {
  readonly digest: Buffer;
  readonly identity: Identity;
  /** Of the scopes that the policy asks for, the first one that the key has not; null where it has all. */
  readonly lacks: string | null;
}

const ABSENT: AuthenticationRefusal = { reason: 'no API key' };
const MALFORMED: AuthenticationRefusal = { reason: 'the API key is malformed' };
const UNKNOWN: AuthenticationRefusal = { reason: 'no API key has this id' };

class ApiKeyAuthenticator implements Authenticator {
  readonly challenge: string;
  readonly effect: string;
  private readonly header: string;
  private readonly query: string | null;
  private readonly scopes: readonly string[];
  private readonly services: PolicyServices;
  private readonly accounts: Accounts;
  private readonly consumers: ReadonlyMap<string, AccessConfig['consumers'][number]>;
  /** Directories answer with the same object as long as a key is as it was. */
  private readonly known = new WeakMap<ApiKey, Known>();

  constructor({ header, query, scopes }: ApiKeyOptions, services: PolicyServices) {
    this.header = header.toLowerCase();
    this.query = query ?? null;
    this.scopes = scopes;
    this.services = services;
    this.accounts = new Accounts(services.config);
    this.consumers = new Map(services.config.consumers.map((consumer) => [consumer.name, consumer]));
    this.challenge = `ApiKey realm="portico", header="${this.header}"`;
    const places = query === undefined ? header : `${header} or the query parameter ${query}`;
    this.effect = `finds out who calls by the API key in ${places}${scopes.length === 0 ? '' : `, which is good for ${scopes.join(', ')}`}`;
  }

  isPresent(exchange: PolicyExchange): boolean {
    return this.sent(exchange) !== undefined;
  }

  authenticate(exchange: PolicyExchange): AuthenticationOutcome | Promise<AuthenticationOutcome> {
    const sent = this.sent(exchange);
    if (sent === undefined) return ABSENT;
    const id = parseKeyId(sent);
    if (id === null) return MALFORMED;
    const found = this.services.state.keys.find(id);
    if (!(found instanceof Promise)) return this.judge(found, sent, exchange);
    return found.then(
      (key) => this.judge(key, sent, exchange),
      (error: Error) => unavailable(error),
    );
  }

  /** What stands where a key may; undefined where there is nothing that could be one. */
  private sent(exchange: PolicyExchange): string | undefined {
    const value = exchange.header(this.header);
    if (value !== undefined) return this.header === 'authorization' ? keyOfAuthorization(value) : value;
    return this.query === null ? undefined : exchange.queryParameter(this.query);
  }

  private judge(key: ApiKey | null, sent: string, exchange: PolicyExchange): AuthenticationOutcome {
    if (key === null) return UNKNOWN;
    let known = this.known.get(key);
    if (known === undefined) {
      known = this.learn(key);
      this.known.set(key, known);
    }
    // Only whoever has the key learns what has become of it, and that only by how long the answer takes.
    if (!isKeyOf(known.digest, sent)) return { reason: `the secret is not that of the API key ${key.id}` };
    if (!key.active) return { reason: `the API key ${key.id} is revoked` };
    if (key.expiresAt !== null && this.services.clock.wall() >= key.expiresAt) {
      return { reason: `the API key ${key.id} has expired` };
    }
    this.services.state.keys.used(key.id);
    if (known.lacks !== null) return { code: 'forbidden', ...lacking(key.id, known.lacks) };
    exchange.requestEdits.remove(this.header);
    return known.identity;
  }

  private learn(key: ApiKey): Known {
    const consumer = this.consumers.get(key.consumer);
    const identity = createIdentity({
      kind: 'apiKey',
      scopes: key.scopes,
      claims: { ...consumer?.metadata, ...key.metadata },
      consumer: key.consumer,
      tier: this.accounts.tierOf(key.tier, key.consumer),
      credential: key.id,
    });
    const lacks = this.scopes.find((wanted) => !key.scopes.some((granted) => grants(granted, wanted))) ?? null;
    return { digest: Buffer.from(key.sha256, 'hex'), identity, lacks };
  }
}

function lacking(id: string, scope: string): { reason: string; detail: string } {
  return { reason: `the API key ${id} has not the scope ${scope}`, detail: 'the credential does not allow this' };
}

/** Not 401: the key may well be good, and whoever is told otherwise would throw it away. */
function unavailable(error: Error): AuthenticationRefusal {
  return {
    code: 'authentication_unavailable',
    reason: `the key store cannot be asked: ${error.message}`,
    detail: 'API keys cannot be looked up at the moment',
  };
}

/** The key after `Bearer` or `ApiKey`; tokens of other kinds are none. */
function keyOfAuthorization(value: string): string | undefined {
  const text = credentialsOf(value, 'bearer') ?? credentialsOf(value, 'apikey');
  return text?.startsWith('pk_') === true ? text : undefined;
}
