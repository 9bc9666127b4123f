/** One server of a service: its address, and what is known of it; one object for all generations that name it. */
import type { ServiceConfig, ServiceTlsConfig } from '../config/model.ts';
import { hashText } from './hash.ts';

/** What an endpoint's pool is told when a generation goes live; times in milliseconds. */
export interface PoolOptions {
  readonly max: number;
  readonly idleTimeout: number;
  readonly queue: number;
  readonly queueTimeout: number;
  readonly pipelining: number;
  readonly connectTimeout: number;
  readonly streams: number;
  readonly tls?: ServiceTlsConfig;
}

/** The connections of one endpoint, as far as this room cares; `net` has the real one and `gateway` hands it in. */
export interface EndpointPool {
  /** Takes no new requests, closes what is idle, and lets what is active end. May be called again. */
  close(): void;
  /** Applies changed options without breaking requests in flight. */
  configure(options: PoolOptions): void;
  /** Connections that stand, idle ones included. */
  readonly open: number;
  readonly idle: number;
}

/** How a try failed, when no valid head of an answer came. */
export type FailureKind = 'connect-failure' | 'reset' | 'timeout' | 'invalid-response';

/** A live service that has this endpoint; told of changes. The newest generation is the last of `owners`. */
export interface EndpointOwner {
  /** The endpoint has just become healthy or unhealthy. `newest` is true for the one owner that reports it. */
  onEndpointHealth(endpoint: Endpoint, reason: string, newest: boolean): void;
  /** A try at the endpoint failed: judge what that means for its health. Told to the newest owner alone. */
  onEndpointFailure(endpoint: Endpoint, kind: FailureKind): void;
}

/** An address that cannot be an endpoint's. Config refuses such a file before this is met. */
export class EndpointAddressError extends Error {
  override readonly name = 'EndpointAddressError';
}

/** The URL of an endpoint, its `origin` in the normalised form. */
export function parseEndpointUrl(url: string): { origin: string; protocol: string; hostname: string; port: string } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !['http:', 'https:', 'tcp:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw new EndpointAddressError(`endpoint "${url}" is not an http, https or tcp URL`);
  }
  const { protocol, hostname, port, host } = parsed;
  // Of a scheme that it does not know `URL` tells no origin.
  return { origin: `${protocol}//${host}`, protocol, hostname, port };
}

/** `host:port` of an endpoint's URL, an IPv6 host in brackets: what the admin API calls it. */
export function endpointId(url: string): string {
  const { hostname, port, protocol } = parseEndpointUrl(url);
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

/** Protocols that are HTTP/2 on the wire, and those that stand under TLS whatever the endpoint's scheme. */
const HTTP2: ReadonlySet<ServiceConfig['protocol']> = new Set(['h2', 'h2c', 'grpc', 'grpcs']);
const SECURE: ReadonlySet<ServiceConfig['protocol']> = new Set(['https', 'h2', 'grpcs']);

/** Whether the service's endpoints are spoken to by HTTP/2. */
export function speaksHttp2({ protocol }: Pick<ServiceConfig, 'protocol'>): boolean {
  return HTTP2.has(protocol);
}

/** Whether the endpoint with this URL is spoken to under TLS. */
export function isSecure({ protocol }: Pick<ServiceConfig, 'protocol'>, url: string): boolean {
  return SECURE.has(protocol) || url.startsWith('https:');
}

/** One shape, plain fields: the forward path reads and writes them without calls. */
export class Endpoint<Pool extends EndpointPool = EndpointPool> {
  /** `host:port`, an IPv6 host in brackets. */
  readonly id: string;
  /** The origin, normalised: the identity across reloads, with the service's name. */
  readonly url: string;
  /** What to connect to: a name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Hash of the id, for the hashing balancers. */
  readonly hash: number;
  /** Share of traffic against the others of the service; 0 takes no new requests. */
  weight: number;
  /** Starts true: nothing is known against it. Change it only through `setHealthy`. */
  healthy: boolean;
  /** Requests sent and not ended. */
  active: number;
  /** Requests sent since the start, tries counted one by one. */
  requests: number;
  /** Of these, those that failed in connecting, by reset, by timeout or by an invalid answer. */
  failures: number;
  /** Failures since the last answer, of the kinds that mark it down. */
  consecutiveFailures: number;
  /** On `Clock.now()`: when a rest after failures ends. 0 when not resting. */
  restUntil: number;
  /** The smooth weighted rotation's account: what it is owed (positive) or has had too much (negative). */
  turn: number;
  readonly owners: EndpointOwner[];
  readonly pool: Pool;

  constructor(url: string, weight: number, createPool: (endpoint: Endpoint<Pool>) => Pool) {
    const parsed = parseEndpointUrl(url);
    this.url = parsed.origin;
    this.port = parsed.port === '' ? (parsed.protocol === 'https:' ? 443 : 80) : Number(parsed.port);
    this.id = endpointId(url);
    this.host = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname;
    this.hash = hashText(this.id);
    this.weight = weight;
    this.healthy = true;
    this.active = 0;
    this.requests = 0;
    this.failures = 0;
    this.consecutiveFailures = 0;
    this.restUntil = 0;
    this.turn = 0;
    this.owners = [];
    this.pool = createPool(this);
  }

  /** Changes health and tells every live generation; does nothing when it is so already. */
  setHealthy(healthy: boolean, reason: string): void {
    if (this.healthy === healthy) return;
    this.healthy = healthy;
    const newest = this.owners.length - 1;
    for (let i = 0; i <= newest; i++) this.owners[i].onEndpointHealth(this, reason, i === newest);
  }
}
