/** What load balancers, orchestrators and Prometheus ask. */
import { z } from 'zod';
import type { HealthPicture } from '../../gateway/picture.ts';
import { METRICS_MEDIA_TYPE } from '../../observability/metrics/text-format.ts';
import { json } from '../reply.ts';
import { type AdminResource, adminRoute } from '../route.ts';

const healthSchema = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  total: z
    .int()
    .meta({ description: 'Requests finished in the last 60 seconds, and connections that were relayed or refused.' }),
  failed: z.int().meta({ description: 'Those that failed: status 5xx, or no endpoint for a connection.' }),
  successRate: z.number().min(0).max(100).meta({ description: 'Percent that did not fail; 100 without traffic.' }),
}) satisfies z.ZodType<HealthPicture>;

export const probes: AdminResource = {
  name: 'Probes',
  summary: 'What load balancers, orchestrators and Prometheus ask.',
  routes: [
    adminRoute({
      method: 'GET',
      path: '/livez',
      id: 'getLiveness',
      summary: 'Says that the process answers at all.',
      open: true,
      answers: { 200: { description: 'It does.', schema: z.object({ status: z.literal('alive') }) } },
      example: { path: '/livez', status: 200 },
      answer: () => json(200, { status: 'alive' }),
    }),
    adminRoute({
      method: 'GET',
      path: '/readyz',
      id: 'getReadiness',
      summary: 'Says whether new requests should be sent here: 503 until listening, and while draining.',
      open: true,
      answers: {
        200: { description: 'They should.', schema: z.object({ status: z.literal('ready') }) },
        503: { description: 'They should not.', schema: z.object({ status: z.literal('not_ready') }) },
      },
      example: { path: '/readyz', status: 200 },
      answer: (source) => (source.ready() ? json(200, { status: 'ready' }) : json(503, { status: 'not_ready' })),
    }),
    adminRoute({
      method: 'GET',
      path: '/gateway/health',
      id: 'getHealth',
      summary:
        'How requests and relayed connections fared in the last 60 seconds: healthy, degraded (under 90 %), or unhealthy (under 50 %, then 503).',
      answers: {
        200: { description: 'Healthy or degraded.', schema: healthSchema },
        503: { description: 'Unhealthy.', schema: healthSchema },
      },
      example: { path: '/gateway/health', status: 200 },
      async answer(source) {
        const health = await source.health();
        return json(health.status === 'unhealthy' ? 503 : 200, health);
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/metrics',
      id: 'getMetrics',
      summary: 'The metrics in the Prometheus text format.',
      answers: {
        200: { description: 'The page; `metrics.md` names what stands there.', mediaType: METRICS_MEDIA_TYPE },
      },
      example: { path: '/metrics', status: 200 },
      answer: async (source) => ({ status: 200, mediaType: METRICS_MEDIA_TYPE, body: await source.metrics() }),
    }),
  ],
};
