/** Sticky sessions: a signed cookie that names the endpoint a client had before, and tells nobody else which that is. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { createStartSecret, deriveKey } from '../base/start-secret.ts';
import type { ServiceConfig } from '../config/model.ts';
import type { Endpoint, EndpointPool } from './endpoint.ts';

type StickyConfig = NonNullable<ServiceConfig['loadBalancing']['sticky']>;

/** What a request's cookie says. */
export interface StickyClaim<Pool extends EndpointPool = EndpointPool> {
  /** The endpoint that it names; null without a valid cookie, and when the endpoint is none of the service's any more. */
  readonly endpoint: Endpoint<Pool> | null;
  /** Half of its time is over, or it has more than it may have: it is to be set again. */
  readonly renew: boolean;
}

// The value: version, what stands for the endpoint, the second at which it ends, and a signature over these.
const VERSION = 1;
const TAG = 1;
const EXPIRY = 9;
const SIGNATURE = 13;
const BYTES = SIGNATURE + 32;
/** In base64url, which for this number of bytes needs no padding. */
const CHARACTERS = (BYTES / 3) * 4;

/** Cookies of the name that are looked at: each costs a hash, and it is the client who says how many there are. */
const MOST_COOKIES = 4;

const NO_CLAIM = { endpoint: null, renew: true } as const;

export class Sticky<Pool extends EndpointPool = EndpointPool> {
  readonly config: StickyConfig;
  readonly #service: string;
  readonly #secret: Uint8Array;
  readonly #key: Buffer;
  readonly #endpoints: readonly Endpoint<Pool>[];
  readonly #clock: Clock;
  readonly #seconds: number;
  /** What stands for an endpoint, over all generations with the same key. */
  readonly #tags: WeakMap<Endpoint, string>;
  /** Made when the first cookie comes: there may be thousands of endpoints. */
  #byTag: Map<string, Endpoint<Pool>> | null = null;

  /** `secret` is that of the start, for a service that has none of its own. */
  constructor(
    { name, loadBalancing }: ServiceConfig,
    endpoints: readonly Endpoint<Pool>[],
    secret: Uint8Array | undefined,
    previous: Sticky<Pool> | null,
    clock: Clock,
  ) {
    this.config = loadBalancing.sticky as StickyConfig;
    this.#service = name;
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#seconds = Math.ceil(this.config.ttl / 1000);
    const own = this.config.secret;
    this.#secret = own === undefined ? (secret ?? previous?.ownSecret ?? createStartSecret()) : Buffer.from(own);
    this.#key = deriveKey(this.#secret, `sticky cookie ${name}`);
    this.#tags = previous?.hasKey(this.#key) ? previous.tags : new WeakMap();
  }

  /** For the next generation, where nobody hands in a secret. */
  get ownSecret(): Uint8Array | undefined {
    return this.config.secret === undefined ? this.#secret : undefined;
  }

  get tags(): WeakMap<Endpoint, string> {
    return this.#tags;
  }

  hasKey(key: Buffer): boolean {
    return this.#key.equals(key);
  }

  /** Reads the `Cookie` field. What is forged, malformed, over, or of another service counts as not there. */
  read(cookies: string | undefined): StickyClaim<Pool> {
    if (cookies === undefined) return NO_CLAIM;
    const { cookie } = this.config;
    let looks = 0;
    for (let at = cookies.indexOf(cookie); at >= 0; at = cookies.indexOf(cookie, at + 1)) {
      const start = at + cookie.length + 1;
      if (cookies.charCodeAt(start - 1) !== 61 || !beginsPair(cookies, at)) continue;
      let end = start;
      while (end < cookies.length && end - start <= CHARACTERS && !endsPair(cookies.charCodeAt(end))) end++;
      if (end - start !== CHARACTERS) continue;
      const claim = this.#verify(cookies.slice(start, end));
      if (claim !== null) return claim;
      if (++looks === MOST_COOKIES) break;
    }
    return NO_CLAIM;
  }

  #verify(value: string): StickyClaim<Pool> | null {
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length !== BYTES || bytes[0] !== VERSION) return null;
    if (!timingSafeEqual(this.#sign(bytes), bytes.subarray(SIGNATURE))) return null;
    const left = bytes.readUInt32BE(EXPIRY) * 1000 - this.#clock.wall();
    if (left <= 0) return null;
    const whole = this.#seconds * 1000;
    const endpoint = this.#find(bytes.toString('latin1', TAG, EXPIRY));
    // More than all of it is left of one that was set before `ttl` was lowered.
    return endpoint === undefined ? null : { endpoint, renew: left < whole / 2 || left > whole };
  }

  /**
   * The value of `Set-Cookie` after an answer of `endpoint`; null where the client's cookie says so already and is young.
   * `secure`: the client came by TLS.
   */
  cookieFor(claim: StickyClaim<Pool>, endpoint: Endpoint<Pool>, secure: boolean): string | null {
    if (claim.endpoint === endpoint && !claim.renew) return null;
    const seconds = this.#seconds;
    const bytes = Buffer.alloc(BYTES);
    bytes[0] = VERSION;
    bytes.write(this.#tagOf(endpoint), TAG, 'latin1');
    bytes.writeUInt32BE(Math.floor(this.#clock.wall() / 1000) + seconds, EXPIRY);
    this.#sign(bytes).copy(bytes, SIGNATURE);
    const value = bytes.toString('base64url');
    return `${this.config.cookie}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  }

  #sign(bytes: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(bytes.subarray(0, SIGNATURE)).digest();
  }

  /** Keyed, since addresses are few enough to be guessed from a plain hash. */
  #tagOf(endpoint: Endpoint): string {
    let tag = this.#tags.get(endpoint);
    if (tag === undefined) {
      const hash = createHmac('sha256', this.#key).update(`endpoint ${this.#service} ${endpoint.url}`).digest();
      tag = hash.toString('latin1', 0, EXPIRY - TAG);
      this.#tags.set(endpoint, tag);
    }
    return tag;
  }

  #find(tag: string): Endpoint<Pool> | undefined {
    this.#byTag ??= new Map(this.#endpoints.map((endpoint) => [this.#tagOf(endpoint), endpoint]));
    return this.#byTag.get(tag);
  }
}

/** True where a name may begin: after nothing, or after a semicolon and blanks (RFC 6265 section 4.2.1). */
function beginsPair(cookies: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(cookies.charCodeAt(before))) before--;
  return before < 0 || cookies.charCodeAt(before) === 59;
}

function endsPair(code: number): boolean {
  return code === 59 || isBlank(code);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
