/** The configuration after parsing: every default filled in, durations in milliseconds, sizes in bytes. */
import type { z } from 'zod';
import type { createRouteSchema } from './route-schema.ts';
import type { createGatewaySchema } from './schema.ts';
import type { createServiceSchema } from './service-schema.ts';

/** What an operator may write. Options of policies stay open: their own schemas say what they are. */
export type GatewayInput = z.input<ReturnType<typeof createGatewaySchema>>;

type ParsedGateway = z.output<ReturnType<typeof createGatewaySchema>>;
type ParsedAdmin = Exclude<ParsedGateway['admin'], false>;

/** A whole configuration. Without `admin` there is no admin listener. */
export type GatewayConfig = Omit<ParsedGateway, 'admin' | 'listeners' | 'routes' | 'services'> & {
  admin?: ParsedAdmin;
  listeners: ListenerConfig[];
  routes: RouteConfig[];
  services: ServiceConfig[];
};

type ParsedListener = ParsedGateway['listeners'][number];
type ParsedListenerTls = NonNullable<ParsedListener['tls']>;

/** What the files of a certificate held when they were loaded, in PEM; a changed file makes a changed configuration. */
export interface KeyPair {
  cert: string;
  key: string;
}

export type ListenerTlsConfig = Omit<ParsedListenerTls, 'certificates' | 'clientCertificates'> & {
  certificates: (ParsedListenerTls['certificates'][number] & KeyPair)[];
  clientCertificates?: NonNullable<ParsedListenerTls['clientCertificates']> & { ca: string };
};
export type ListenerConfig = Omit<ParsedListener, 'tls'> & { tls?: ListenerTlsConfig };

type ParsedService = z.output<ReturnType<typeof createServiceSchema>>;
export type ServiceTlsConfig = NonNullable<ParsedService['tls']> & Partial<KeyPair> & { ca?: string };
export type ServiceConfig = Omit<ParsedService, 'tls'> & { tls?: ServiceTlsConfig };
export type HealthCheckConfig = NonNullable<ServiceConfig['healthCheck']>;
export type BalancingAlgorithm = ServiceConfig['loadBalancing']['algorithm'];
export type RouteConfig = z.output<ReturnType<typeof createRouteSchema>> & {
  /** Set where the route cannot be built: of it nothing but name, match and priority stands here. */
  quarantined?: Quarantine;
};

/** Why a route does not serve. */
export interface Quarantine {
  /** For operators: the first error with its place. */
  reason: string;
  /** True where requests that it wins are answered 503; false where its match is broken, so that it wins none. */
  matched: boolean;
}

export type RetryConfig = NonNullable<RouteConfig['retry']>;
export type { MatchConfig, ValueMatch } from './match-schema.ts';
