/** What the admin listener offers: its routes as a table, and what it asks of the gateway as plain data. */
import type { HealthPicture, StatusPicture } from '../gateway/picture.ts';
import { METRICS_MEDIA_TYPE } from '../observability/metrics/text-format.ts';

/** The gateway as admin sees it. Nothing here changes anything, and every answer is a copy. */
export interface AdminSource {
  /** False before the listeners are open and while draining. */
  ready(): boolean;
  status(): Soon<StatusPicture>;
  health(): Soon<HealthPicture>;
  /** The Prometheus page, whole or in pieces that are written one by one. */
  metrics(): Soon<string | Iterable<string>>;
}

/** At once, or when the workers have told. */
export type Soon<T> = T | Promise<T>;

/** An answer before it is written. Pieces of a body are produced only as fast as the client takes them. */
export interface AdminReply {
  readonly status: number;
  readonly mediaType: string;
  readonly body: string | Iterable<string>;
}

export interface AdminRoute {
  readonly method: 'GET';
  readonly path: string;
  /** One sentence for the reference and for OpenAPI. */
  readonly summary: string;
  /** True when no token is asked for. */
  readonly open: boolean;
  readonly answer: (source: AdminSource) => Soon<AdminReply>;
}

/** Every route. `HEAD` is served wherever `GET` is. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/livez',
    summary: 'Says that the process answers at all.',
    open: true,
    answer: () => json(200, { status: 'alive' }),
  },
  {
    method: 'GET',
    path: '/readyz',
    summary: 'Says whether new requests should be sent here: 503 until listening, and while draining.',
    open: true,
    answer: (source) => (source.ready() ? json(200, { status: 'ready' }) : json(503, { status: 'not_ready' })),
  },
  {
    method: 'GET',
    path: '/metrics',
    summary: 'The metrics in the Prometheus text format.',
    open: false,
    answer: async (source) => ({ status: 200, mediaType: METRICS_MEDIA_TYPE, body: await source.metrics() }),
  },
  {
    method: 'GET',
    path: '/status',
    summary: 'Listeners, routes, services and endpoints as they are at this moment, and the config generation.',
    open: false,
    answer: async (source) => json(200, await source.status()),
  },
  {
    method: 'GET',
    path: '/gateway/health',
    summary:
      'How requests fared in the last 60 seconds: healthy, degraded (under 90 %), or unhealthy (under 50 %, then 503).',
    open: false,
    answer: async (source) => {
      const health = await source.health();
      return json(health.status === 'unhealthy' ? 503 : 200, health);
    },
  },
];

function json(status: number, body: unknown): AdminReply {
  return { status, mediaType: 'application/json', body: `${JSON.stringify(body)}\n` };
}
