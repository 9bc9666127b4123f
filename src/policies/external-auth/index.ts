/** `externalAuth`: a service is asked whether a request may pass, and who calls. */
import { formatDuration } from '../../base/duration.ts';
import { shownUrl } from '../../config/url-schema.ts';
import type { HttpAnswer, HttpClient } from '../../net/http-client.ts';
import { OutageLog } from '../../observability/outage-log.ts';
import { Accounts } from '../../pipeline/accounts.ts';
import { type AuthenticationOutcome, type Authenticator, defineAuthentication } from '../../pipeline/authentication.ts';
import { createIdentity, type Identity } from '../../pipeline/identity.ts';
import type { PolicyExchange, PolicyServices } from '../../pipeline/policy.ts';
import { createQuestion, handedOn, verdictOf } from './question.ts';
import { type ExternalAuthOptions, externalAuthSchema } from './schema.ts';

/** By which an answer says who calls; every authentication tells them to upstreams. */
const IDENTITY = ['x-user-id', 'x-user-roles', 'x-consumer-name', 'x-consumer-tier'];

/** What clients have a use for elsewhere: of these only the requests that are asked about lose their own. */
const OF_CLIENTS = new Set(['authorization', 'cookie', 'accept', 'accept-language', 'user-agent', 'content-type']);

/** Where the answer was none, and requests pass all the same. */
const NOBODY = createIdentity({ kind: 'externalAuth' });

export const externalAuth = defineAuthentication({
  name: 'externalAuth',
  schema: externalAuthSchema,
  ownHeaders: ({ forwardHeaders }) => forwardHeaders.filter((name) => !OF_CLIENTS.has(name.toLowerCase())),
  create: (options: ExternalAuthOptions, services) => new ExternalAuthenticator(options, services),
});

class ExternalAuthenticator implements Authenticator {
  // What is asked for is the service's to say, with its answer.
  readonly challenge = '';
  readonly effect: string;
  private readonly options: ExternalAuthOptions;
  private readonly accounts: Accounts;
  private readonly http: HttpClient;
  private readonly outage: OutageLog;
  private readonly asked: readonly string[];
  /** Headers of the answer that are copied, in lower case, without those that are the identity's. */
  private readonly copied: readonly string[];
  /** Those that are. */
  private readonly believed: ReadonlySet<string>;

  constructor(options: ExternalAuthOptions, { http, logger, config }: PolicyServices) {
    this.accounts = new Accounts(config);
    this.options = options;
    this.http = http;
    const url = shownUrl(options.url);
    this.outage = new OutageLog(logger, 'external authorization', url);
    const lower = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.toLowerCase()))];
    this.asked = lower(options.requestHeaders);
    const forwarded = lower(options.forwardHeaders);
    this.copied = forwarded.filter((name) => !IDENTITY.includes(name));
    this.believed = new Set(forwarded.filter((name) => IDENTITY.includes(name)));
    const otherwise = options.failOpen ? 'lets requests pass where it fails' : '503 where it fails';
    this.effect = `asks ${url} whether the request may pass, for at most ${formatDuration(options.timeout)}; ${otherwise}`;
  }

  isPresent(): boolean {
    return true;
  }

  async authenticate(exchange: PolicyExchange): Promise<AuthenticationOutcome> {
    // Whatever comes of it: what the client sent under these names is never sent on.
    for (const name of this.copied) exchange.requestEdits.remove(name);
    let answer: HttpAnswer;
    try {
      answer = await this.http.call(createQuestion(this.options, this.asked, exchange));
    } catch (error) {
      return this.withoutAnswer((error as Error).message);
    }
    const verdict = verdictOf(answer);
    if (typeof verdict !== 'string') return this.withoutAnswer(verdict.failure);
    this.outage.answered();
    if (verdict === 'pass') return this.pass(answer, exchange);
    return { reason: `external authorization answered ${answer.status}`, reply: handedOn(answer) };
  }

  private pass({ headers }: HttpAnswer, exchange: PolicyExchange): Identity {
    for (const name of this.copied) {
      if (Object.hasOwn(headers, name)) exchange.requestEdits.set(name, headers[name]);
    }
    const said = (name: string): string => (this.believed.has(name) ? (headers[name] ?? '') : '');
    const consumer = said('x-consumer-name') || null;
    return createIdentity({
      kind: 'externalAuth',
      subject: said('x-user-id'),
      roles: said('x-user-roles')
        .split(',')
        .map((role) => role.trim())
        .filter((role) => role !== ''),
      consumer,
      tier: this.accounts.tierOf(said('x-consumer-tier'), consumer),
    });
  }

  private withoutAnswer(reason: string): AuthenticationOutcome {
    this.outage.failed(reason);
    if (this.options.failOpen) return NOBODY;
    return {
      code: 'authentication_unavailable',
      reason: `external authorization failed: ${reason}`,
      detail: 'whether the request may pass cannot be asked at the moment',
    };
  }
}
