/** The keys of an issuer, fetched by URL (RFC 7517 section 5) or by what the issuer says of itself, and kept fresh in the background. */
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { shownUrl } from '../../config/url-schema.ts';
import type { HttpClient } from '../../net/http-client.ts';
import { fittingKeys, type KeySource, KeysUnavailableError } from './key-source.ts';
import { isUsable, parseJwk, type VerificationKey } from './verification-key.ts';

/** Durations are milliseconds. */
export interface RemoteKeysOptions {
  /** Where the keys are; of an issuer that says so itself, the issuer. */
  readonly url: string;
  /** Whether `url` is an issuer to be asked for the place of its keys (OpenID Connect Discovery 1.0 section 4). */
  readonly isIssuer: boolean;
  readonly cacheFor: number;
  /** Least time between two fetches for the sake of keys that are not known. */
  readonly minRefreshInterval: number;
  readonly timeout: number;
}

export interface RemoteKeysDeps {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

const MAX_BODY = 512 * 1024;

/** Keys of a set that are looked at. */
const MOST_KEYS = 200;

/** While there are no keys at all, requests have them fetched again after so many milliseconds. */
const EMPTY_HANDED = 100;

/** Between two tries in the background, in milliseconds, whatever the options say. */
const SHORTEST_PAUSE = 1000;

/** Part of `cacheFor` after which the next fetch begins, so that it is over before the keys are old. */
const FRESH = 0.9;

export class RemoteKeys implements KeySource {
  private readonly options: RemoteKeysOptions;
  private readonly deps: RemoteKeysDeps;
  /** The last good ones; null before the first. */
  private keys: readonly VerificationKey[] | null = null;
  /** Those keys by their text: a key that stays is the same object, and what it verified is remembered on. */
  private byText: ReadonlyMap<string, VerificationKey> = new Map();
  private flight: Promise<void> | null = null;
  /** When a fetch last began, and when one did for a key that was not known. */
  private begunAt = Number.NEGATIVE_INFINITY;
  private askedAt = Number.NEGATIVE_INFINITY;
  private failure: string | null = null;
  private timer: TimerHandle = null;
  private closed = false;

  constructor(options: RemoteKeysOptions, deps: RemoteKeysDeps) {
    this.options = options;
    this.deps = deps;
    // Not at once: who makes it may yet decide not to go live with it.
    this.schedule(0);
  }

  keysFor(algorithm: string, keyId: string | null): readonly VerificationKey[] | Promise<readonly VerificationKey[]> {
    const { keys } = this;
    if (keys === null) return this.firstKeys(algorithm, keyId);
    const isKnown = keyId === null || keys.some(({ id }) => id === keyId);
    if (isKnown || !this.mayAsk()) return fittingKeys(keys, algorithm, keyId);
    this.askedAt = this.deps.clock.now();
    return this.refresh().then(() => fittingKeys(this.keys ?? keys, algorithm, keyId));
  }

  close(): void {
    this.closed = true;
    this.deps.timers.clearTimeout(this.timer);
  }

  /** Whether a key that is not known is a reason to wait: a fetch is under way, or the last for such a reason is long ago. */
  private mayAsk(): boolean {
    return this.flight !== null || this.deps.clock.now() - this.askedAt >= this.options.minRefreshInterval;
  }

  private async firstKeys(algorithm: string, keyId: string | null): Promise<readonly VerificationKey[]> {
    if (this.flight !== null || this.deps.clock.now() - this.begunAt >= EMPTY_HANDED) await this.refresh();
    if (this.keys === null)
      throw new KeysUnavailableError(`no keys of the issuer: ${this.failure ?? 'not fetched yet'}`);
    return fittingKeys(this.keys, algorithm, keyId);
  }

  /** Fetches, or joins who does. Never rejects. */
  private refresh(): Promise<void> {
    this.flight ??= this.fetchAndKeep().finally(() => {
      this.flight = null;
    });
    return this.flight;
  }

  private async fetchAndKeep(): Promise<void> {
    const { clock, timers } = this.deps;
    const { cacheFor, minRefreshInterval } = this.options;
    timers.clearTimeout(this.timer);
    this.begunAt = clock.now();
    try {
      const set = await this.fetchSet();
      if (this.closed) return;
      this.take(set);
      this.onSuccess();
      this.schedule(cacheFor * FRESH);
    } catch (error) {
      if (this.closed) return;
      this.onFailure((error as Error).message);
      this.schedule(Math.max(SHORTEST_PAUSE, Math.min(minRefreshInterval, cacheFor * FRESH)));
    }
  }

  private schedule(milliseconds: number): void {
    this.timer = this.deps.timers.setTimeout(() => void this.refresh(), milliseconds);
  }

  private take(set: readonly unknown[]): void {
    const byText = new Map<string, VerificationKey>();
    for (const jwk of set) {
      const text = JSON.stringify(jwk);
      const key = this.byText.get(text) ?? parseJwk(jwk, false);
      if (isUsable(key)) byText.set(text, key);
    }
    // Whoever has withdrawn all keys cannot be told from who is broken, and the broken ones are many.
    if (byText.size === 0) throw new Error('the set holds no key that can be used');
    for (const [text, key] of this.byText) if (!byText.has(text)) key.isLive = false;
    this.byText = byText;
    this.keys = [...byText.values()];
  }

  private async fetchSet(): Promise<readonly unknown[]> {
    const { url, isIssuer } = this.options;
    const { keys } = await this.fetchMap(isIssuer ? await this.discover(url) : url);
    if (!Array.isArray(keys)) throw new Error('the answer is no set of keys');
    if (keys.length > MOST_KEYS) throw new Error(`the set holds more than ${MOST_KEYS} keys`);
    return keys;
  }

  private async discover(issuer: string): Promise<string> {
    const metadata = await this.fetchMap(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    // Otherwise one issuer could speak for another (OpenID Connect Discovery 1.0 section 4.3).
    if (metadata.issuer !== issuer) throw new Error('the metadata are of another issuer');
    const { jwks_uri: place } = metadata;
    if (typeof place !== 'string' || !URL.canParse(place)) throw new Error('the metadata have no `jwks_uri`');
    const { protocol } = new URL(place);
    if (protocol === 'https:' || (protocol === 'http:' && issuer.startsWith('http:'))) return place;
    throw new Error('the `jwks_uri` is not https');
  }

  private async fetchMap(url: string): Promise<Record<string, unknown>> {
    const { timeout } = this.options;
    const headers = { accept: 'application/json, application/jwk-set+json' };
    const { status, body } = await this.deps.http.call({ method: 'GET', url, headers, timeout, maxBody: MAX_BODY });
    if (status !== 200) throw new Error(`the answer has the status ${status}`);
    const value = parsed(body);
    if (typeof value !== 'object' || value === null) throw new Error('the answer is no map in JSON');
    return value as Record<string, unknown>;
  }

  private onSuccess(): void {
    if (this.failure !== null)
      this.deps.logger.info('keys of tokens are fetched again', { url: shownUrl(this.options.url) });
    this.failure = null;
  }

  /** Said once for each reason: keys may be out of reach for hours. */
  private onFailure(reason: string): void {
    if (this.failure !== reason) {
      const effect = this.keys === null ? 'tokens cannot be verified' : 'the last good ones are used';
      this.deps.logger.warn('keys of tokens cannot be fetched', { url: shownUrl(this.options.url), reason, effect });
    }
    this.failure = reason;
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return null;
  }
}
