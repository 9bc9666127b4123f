/** `basicAuth`: who calls, by name and password (RFC 7617). */
import type { PolicyProblem } from '../../config/policy-schemas.ts';
import { credentialsOf } from '../../http/authorization.ts';
import {
  type AuthenticationOutcome,
  type AuthenticationRefusal,
  type Authenticator,
  defineAuthentication,
} from '../../pipeline/authentication.ts';
import { createIdentity, type Identity } from '../../pipeline/identity.ts';
import type { PolicyExchange } from '../../pipeline/policy.ts';
import { parseBasicCredentials } from './basic-credentials.ts';
import { PasswordDesk, type Verdict } from './password-desk.ts';
import { type BasicAuthOptions, basicAuthSchema } from './schema.ts';

const ABSENT: AuthenticationRefusal = { reason: 'no name and password' };
const MALFORMED: AuthenticationRefusal = { reason: 'the name and password are malformed' };
// Not named: people type passwords where names belong.
const UNKNOWN: AuthenticationRefusal = { reason: 'no user has this name' };
const BUSY: AuthenticationRefusal = {
  code: 'overloaded',
  reason: 'too many passwords wait to be checked',
  detail: 'passwords cannot be checked at the moment',
};

export const basicAuth = defineAuthentication({
  name: 'basicAuth',
  schema: basicAuthSchema,
  check: ({ users }, { tiers }) =>
    users.flatMap(({ tier }, index): PolicyProblem[] => {
      if (tier === undefined || Object.hasOwn(tiers, tier)) return [];
      const path = ['users', index, 'tier'];
      const known = Object.keys(tiers);
      return [{ severity: 'error', code: 'unknown_tier', path, message: 'no tier has this name', known }];
    }),
  create(options: BasicAuthOptions, { clock, logger, share }) {
    return new BasicAuthenticator(
      options,
      share('basicAuth', () => new PasswordDesk(clock, logger)),
    );
  },
});

interface User {
  readonly hash: string;
  readonly identity: Identity;
  readonly wrong: AuthenticationRefusal;
}

class BasicAuthenticator implements Authenticator {
  // RFC 7617 section 2.1: in which encoding names and passwords are to be sent.
  readonly challenge = 'Basic realm="portico", charset="UTF-8"';
  readonly effect: string;
  private readonly desk: PasswordDesk;
  private readonly users: ReadonlyMap<string, User>;
  private readonly hashes: readonly string[];

  constructor({ users }: BasicAuthOptions, desk: PasswordDesk) {
    this.desk = desk;
    this.users = new Map(users.map((user) => [user.name, createUser(user)]));
    this.hashes = users.map(({ passwordHash }) => passwordHash);
    const count = users.length === 1 ? 'one user' : `${users.length} users`;
    this.effect = `finds out who calls by name and password; knows ${count}`;
  }

  isPresent(exchange: PolicyExchange): boolean {
    return credentialsOf(exchange.header('authorization'), 'basic') !== null;
  }

  authenticate(exchange: PolicyExchange): AuthenticationOutcome | Promise<AuthenticationOutcome> {
    const text = credentialsOf(exchange.header('authorization'), 'basic');
    if (text === null) return ABSENT;
    const credentials = parseBasicCredentials(text);
    if (credentials === null) return MALFORMED;
    const name = credentials.name.normalize('NFC');
    const user = this.users.get(name);
    const hash = user === undefined ? this.hashFor(name) : user.hash;
    const verdict = this.desk.verify(name, credentials.password, hash, exchange.clientAddress);
    if (typeof verdict === 'string') return outcomeOf(verdict, user);
    return verdict.then((later) => outcomeOf(later, user));
  }

  /** Of a name that nobody has a password is checked all the same, always by one hash: time does not tell who is known. */
  private hashFor(name: string): string {
    return this.hashes[this.desk.choice(name, this.hashes.length)];
  }
}

function createUser({ name, passwordHash, roles, tier }: BasicAuthOptions['users'][number]): User {
  return {
    hash: passwordHash,
    identity: createIdentity({ kind: 'basicAuth', subject: name, roles, tier }),
    wrong: { reason: `not the password of ${name}` },
  };
}

function outcomeOf(verdict: Verdict, user: User | undefined): AuthenticationOutcome {
  if (verdict === 'busy') return BUSY;
  if (user === undefined) return UNKNOWN;
  return verdict === 'right' ? user.identity : user.wrong;
}
