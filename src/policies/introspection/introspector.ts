/** Asks an introspection endpoint about tokens, once at a time for each, and remembers what it said; outlives reloads. */
import { hash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { ExpiringMap } from '../../base/expiring-map.ts';
import type { Logger } from '../../base/logger.ts';
import { shownUrl } from '../../config/url-schema.ts';
import type { HttpCall, HttpClient } from '../../net/http-client.ts';
import { OutageLog } from '../../observability/outage-log.ts';
import type { Accounts } from '../../pipeline/accounts.ts';
import type { AuthenticationOutcome, AuthenticationRefusal } from '../../pipeline/authentication.ts';
import { type ActiveToken, parseIntrospectionAnswer } from './introspection-answer.ts';
import type { IntrospectionOptions } from './schema.ts';

/** Tokens remembered of each kind. Those that are not valid have a place of their own: anybody can make up any number of them. */
const REMEMBERED = 10_000;

/** Milliseconds for which a token that is not valid is remembered: it may be one that was issued just now. */
const REFUSED_FOR = 5_000;

/** Bytes of an answer; beyond it the endpoint fails. */
const MAX_ANSWER = 64 * 1024;

/** Tokens asked about at once; beyond it requests are refused rather than kept. */
const MAX_PENDING = 1024;

const INVALID = 'error="invalid_token"';

const DETAIL = 'tokens cannot be checked at the moment';
const TOO_MANY: AuthenticationRefusal = {
  code: 'overloaded',
  reason: 'too many tokens are asked about at once',
  detail: DETAIL,
};

export interface IntrospectorDeps {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly accounts: Accounts;
}

export class Introspector {
  private readonly options: IntrospectionOptions;
  private readonly deps: IntrospectorDeps;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly outage: OutageLog;
  private readonly active = new ExpiringMap<AuthenticationOutcome>(REMEMBERED);
  private readonly refused = new ExpiringMap<AuthenticationOutcome>(REMEMBERED);
  private readonly pending = new Map<string, Promise<AuthenticationOutcome>>();

  constructor(options: IntrospectionOptions, deps: IntrospectorDeps) {
    this.options = options;
    this.deps = deps;
    this.outage = new OutageLog(deps.logger, 'token introspection', shownUrl(options.url));
    const { clientId, clientSecret } = options;
    this.headers = {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(clientId === undefined ? {} : { authorization: basicCredentials(clientId, clientSecret ?? '') }),
    };
  }

  /** Who has the token; at once where that is remembered. Never rejects. */
  find(token: string): AuthenticationOutcome | Promise<AuthenticationOutcome> {
    // Tokens are nowhere kept: what is remembered would be as good as they are to whoever reads this memory.
    const digest = hash('sha256', token, 'base64');
    const now = this.deps.clock.now();
    const known = this.active.get(digest, now) ?? this.refused.get(digest, now) ?? this.pending.get(digest);
    if (known !== undefined) return known;
    if (this.pending.size >= MAX_PENDING) return TOO_MANY;
    const asked = this.ask(token, digest).finally(() => this.pending.delete(digest));
    this.pending.set(digest, asked);
    return asked;
  }

  private async ask(token: string, digest: string): Promise<AuthenticationOutcome> {
    const { url, timeout } = this.options;
    const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString();
    const call: HttpCall = { method: 'POST', url, headers: this.headers, body, timeout, maxBody: MAX_ANSWER };
    let found: ActiveToken | null;
    try {
      const answer = await this.deps.http.call(call);
      found = parseIntrospectionAnswer(answer.status, answer.body, this.deps.accounts);
    } catch (error) {
      const { message } = error as Error;
      this.outage.failed(message);
      return unavailable(message);
    }
    this.outage.answered();
    return this.remember(digest, found);
  }

  private remember(digest: string, found: ActiveToken | null): AuthenticationOutcome {
    const { cacheFor } = this.options;
    const { clock } = this.deps;
    const now = clock.now();
    const refuse = (reason: string): AuthenticationOutcome => {
      const refusal = { reason, error: INVALID };
      if (cacheFor > 0) this.refused.set(digest, refusal, now + Math.min(cacheFor, REFUSED_FOR));
      return refusal;
    };
    if (found === null) return refuse('the token is not active');
    const wall = clock.wall();
    if (found.expires !== null && found.expires <= wall) return refuse('the token has expired');
    if (found.notBefore !== null && found.notBefore > wall) return refuse('the token is not valid yet');
    // The clock that counts on, so that a wall clock that is set back keeps no token alive.
    const left = found.expires === null ? cacheFor : Math.min(cacheFor, found.expires - wall);
    if (left > 0) this.active.set(digest, found.identity, now + left);
    return found.identity;
  }

  close(): void {
    this.active.clear();
    this.refused.clear();
  }
}

/** Not 401: whoever has a good token would throw it away. */
function unavailable(reason: string): AuthenticationRefusal {
  return { code: 'authentication_unavailable', reason: `token introspection failed: ${reason}`, detail: DETAIL };
}

/** RFC 6749 section 2.3.1: both parts are form-encoded before they are joined, since an id may hold a colon. */
function basicCredentials(clientId: string, clientSecret: string): string {
  const text = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
  return `Basic ${Buffer.from(text, 'latin1').toString('base64')}`;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice(2);
}
