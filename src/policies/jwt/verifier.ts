/** Verifies tokens, by `jose` and by what is asked of them beyond it, and remembers those that were sound. */
import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { Clock } from '../../base/clock.ts';
import type { Accounts } from '../../pipeline/accounts.ts';
import type { AuthenticationOutcome, AuthenticationRefusal } from '../../pipeline/authentication.ts';
import type { ClaimRule } from '../../pipeline/claim-rule.ts';
import type { Identity } from '../../pipeline/identity.ts';
import { brokenRule, faultOf } from './claims.ts';
import { type KeySource, KeysUnavailableError } from './key-source.ts';
import { parseToken } from './token-form.ts';
import { identityOf } from './token-identity.ts';
import { TokenMemory } from './token-memory.ts';
import type { VerificationKey } from './verification-key.ts';

export interface TokenRules {
  readonly issuer?: string | undefined;
  /** Any of them; everything where there is none. */
  readonly audience: readonly string[];
  readonly algorithms: ReadonlySet<string>;
  /** Milliseconds. */
  readonly clockSkew: number;
  readonly claims: readonly ClaimRule[];
  /** Claims by the header that tells upstreams of them. */
  readonly forward: Readonly<Record<string, string>>;
}

export class TokenVerifier {
  private readonly rules: TokenRules;
  private readonly keys: KeySource;
  private readonly accounts: Accounts;
  private readonly clock: Clock;
  private readonly memory = new TokenMemory();

  constructor(rules: TokenRules, keys: KeySource, accounts: Accounts, clock: Clock) {
    this.rules = rules;
    this.keys = keys;
    this.accounts = accounts;
    this.clock = clock;
  }

  /** Who a token belongs to that was verified before; null when it must be verified. */
  find(token: string): Identity | null {
    return this.memory.find(token, this.clock.wall());
  }

  /** Never throws or rejects for what a token holds. */
  verify(token: string): AuthenticationOutcome | Promise<AuthenticationOutcome> {
    const head = parseToken(token);
    if ('problem' in head) return refusal(head.problem);
    const { algorithm, keyId } = head;
    if (!this.rules.algorithms.has(algorithm)) return refusal('the algorithm is none of those that are allowed');
    return this.verifyBy(token, algorithm, keyId);
  }

  close(): void {
    this.memory.clear();
  }

  private async verifyBy(token: string, algorithm: string, keyId: string | null): Promise<AuthenticationOutcome> {
    let keys: readonly VerificationKey[];
    try {
      keys = await this.keys.keysFor(algorithm, keyId);
    } catch (error) {
      if (error instanceof KeysUnavailableError) return unavailable(error.message);
      throw error;
    }
    if (keys.length === 0) return refusal('no key is known by which it could be verified');
    for (const key of keys) {
      const outcome = await this.tryKey(token, algorithm, key);
      if (outcome !== null) return outcome;
    }
    return refusal('the signature is of none of the keys');
  }

  /** Null where the signature is not of this key. */
  private async tryKey(token: string, algorithm: string, key: VerificationKey): Promise<AuthenticationOutcome | null> {
    const { issuer, audience, clockSkew } = this.rules;
    try {
      const { payload } = await jwtVerify(token, key.key, {
        algorithms: [algorithm],
        clockTolerance: clockSkew / 1000,
        currentDate: new Date(this.clock.wall()),
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience.length === 0 ? {} : { audience: [...audience] }),
      });
      return this.judge(token, payload, key);
    } catch (error) {
      // A key of another kind than it says is no key of the token's, either.
      const isForeign = error instanceof errors.JWSSignatureVerificationFailed || !(error instanceof errors.JOSEError);
      return isForeign ? null : refusal(error.message);
    }
  }

  private judge(token: string, claims: JWTPayload, key: VerificationKey): AuthenticationOutcome {
    const { clockSkew, claims: rules, forward } = this.rules;
    const fault = faultOf(claims, this.clock.wall() / 1000, clockSkew / 1000);
    if (fault !== null) return refusal(fault);
    const broken = brokenRule(claims, rules);
    if (broken !== null) return refusal(`the claim "${broken}" is not what is asked for`);
    const identity = identityOf(claims, forward, this.accounts);
    const until = claims.exp === undefined ? Number.POSITIVE_INFINITY : claims.exp * 1000 + clockSkew;
    this.memory.keep(token, { identity, until, key });
    return identity;
  }
}

function refusal(reason: string): AuthenticationRefusal {
  return { reason, error: 'error="invalid_token"' };
}

/** It would be untrue that the credential is bad: nobody can tell. */
function unavailable(reason: string): AuthenticationRefusal {
  return { code: 'authentication_unavailable', reason, detail: 'at the moment it cannot be found out who calls' };
}
