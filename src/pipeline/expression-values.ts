/** What expressions see of a request and of who calls; nothing is read or decoded before it is asked for. */
import type { Clock } from '../base/clock.ts';
import { queryNames } from '../http/request-values.ts';
import type { Identity } from './identity.ts';
import type { PolicyExchange } from './policy.ts';

/** What is read of an exchange. */
export type ExpressionSubject = Pick<
  PolicyExchange,
  | 'method'
  | 'path'
  | 'host'
  | 'scheme'
  | 'query'
  | 'clientAddress'
  | 'routeName'
  | 'identity'
  | 'header'
  | 'headerNames'
  | 'queryParameter'
>;

/** Most elements of a list or a map that a client writes and an expression walks. */
export const MAX_ELEMENTS = 256;

/** There is more than an expression walks. */
export class TooMany extends Error {
  override readonly name = 'TooMany';
  readonly code = 'too_many';

  constructor(what: string) {
    super(`more than ${MAX_ELEMENTS} ${what}`);
  }
}

/**
 * Values by name that are looked up one by one, and listed only where an expression walks them. The library takes only what
 * says that it was made by `Map` itself for a map.
 */
abstract class LookedUp<Value> extends Map<string, Value> {
  constructor() {
    super();
    Object.defineProperty(this, 'constructor', { value: Map });
  }

  protected abstract names(): string[];

  override has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  override get size(): number {
    return this.listed().length;
  }

  override keys(): MapIterator<string> {
    return this.listed()[Symbol.iterator]() as MapIterator<string>;
  }

  override entries(): MapIterator<[string, Value]> {
    const entries = this.listed().map((name): [string, Value] => [name, this.get(name) as Value]);
    return entries[Symbol.iterator]() as MapIterator<[string, Value]>;
  }

  override [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  private listed(): string[] {
    const names = this.names();
    if (names.length > MAX_ELEMENTS) throw new TooMany('names');
    return names;
  }
}

class HeaderValues extends LookedUp<string> {
  private readonly request: RequestValue;

  constructor(request: RequestValue) {
    super();
    this.request = request;
  }

  override get(name: string): string | undefined {
    return typeof name === 'string' ? this.request.exchange.header(name) : undefined;
  }

  protected override names(): string[] {
    return this.request.exchange.headerNames();
  }
}

class QueryValues extends LookedUp<string> {
  private readonly request: RequestValue;

  constructor(request: RequestValue) {
    super();
    this.request = request;
  }

  override get(name: string): string | undefined {
    return typeof name === 'string' ? this.request.exchange.queryParameter(name) : undefined;
  }

  protected override names(): string[] {
    return queryNames(this.request.exchange.query, MAX_ELEMENTS + 1);
  }
}

/** `request`. */
export class RequestValue {
  /** Names and types. */
  static readonly fields = {
    method: 'string',
    path: 'string',
    host: 'string',
    scheme: 'string',
    clientAddress: 'string',
    route: 'string',
    headers: 'map<string, string>',
    query: 'map<string, string>',
    time: 'google.protobuf.Timestamp',
  };

  readonly headers: HeaderValues = new HeaderValues(this);
  readonly query: QueryValues = new QueryValues(this);
  private subject: ExpressionSubject | null = null;
  private clock: Clock | null = null;

  /** Says of which request the next evaluation is; null when it is over. */
  bind(subject: ExpressionSubject | null, clock: Clock | null): void {
    this.subject = subject;
    this.clock = clock;
  }

  get exchange(): ExpressionSubject {
    return this.subject as ExpressionSubject;
  }

  get method(): string {
    return this.exchange.method;
  }

  get path(): string {
    return this.exchange.path;
  }

  get host(): string {
    return this.exchange.host;
  }

  get scheme(): string {
    return this.exchange.scheme;
  }

  get clientAddress(): string {
    return this.exchange.clientAddress;
  }

  get route(): string {
    return this.exchange.routeName;
  }

  get time(): Date {
    return new Date((this.clock as Clock).wall());
  }
}

/** Claims by name; one that is called `constructor` is a claim like any. */
class ClaimValues extends LookedUp<unknown> {
  private readonly owner: IdentityValue;

  constructor(owner: IdentityValue) {
    super();
    this.owner = owner;
  }

  override get(name: string): unknown {
    const claims = this.owner.identity?.claims;
    return claims !== undefined && typeof name === 'string' && Object.hasOwn(claims, name) ? claims[name] : undefined;
  }

  protected override names(): string[] {
    return Object.keys(this.owner.identity?.claims ?? {});
  }
}

const NO_NAMES: readonly string[] = [];

/** `identity`; a field of whom nobody knows anything is not there, which `has()` tells. */
export class IdentityValue {
  /** Names and types. */
  static readonly fields = {
    kind: 'string',
    subject: 'string',
    roles: 'list<string>',
    scopes: 'list<string>',
    claims: 'map<string, dyn>',
    consumer: 'string',
    tier: 'string',
  };

  readonly claims: ClaimValues = new ClaimValues(this);
  identity: Identity | null = null;

  get kind(): string | undefined {
    return this.identity?.kind;
  }

  get subject(): string | undefined {
    return this.identity?.subject;
  }

  get roles(): readonly string[] {
    return this.identity === null ? NO_NAMES : this.identity.roles;
  }

  get scopes(): readonly string[] {
    return this.identity === null ? NO_NAMES : this.identity.scopes;
  }

  get consumer(): string | undefined {
    return this.identity?.consumer ?? undefined;
  }

  get tier(): string | undefined {
    return this.identity?.tier ?? undefined;
  }
}
