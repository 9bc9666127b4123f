/** The gateway as it is at this moment. */
import { z } from 'zod';
import type { StatsPicture, StatusPicture } from '../../gateway/picture.ts';
import { findingSchema } from '../finding-schema.ts';
import { json } from '../reply.ts';
import { type AdminResource, adminRoute } from '../route.ts';

const statusSchema = z.object({
  pid: z.int().meta({ description: 'Of the process that leads: the one to send signals to.' }),
  generation: z.int().meta({ description: 'Of the configuration that serves new requests.' }),
  state: z.string().meta({ description: '`starting`, `running`, `draining` or `stopped`.' }),
  listeners: z.array(z.object({ name: z.string(), address: z.string() })),
  workers: z.array(z.object({ pid: z.int(), state: z.string() })),
  routes: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['active', 'quarantined']),
      reason: z.string().optional().meta({ description: 'Why it is quarantined.' }),
    }),
  ),
  config: z
    .object({
      file: z.string(),
      etag: z.string(),
      cause: z.string().meta({
        description: 'Why it came to run: `start`, `signal`, `file`, `certificate`, `api`, `rollback` or `last-good`.',
      }),
      at: z.string().meta({ description: 'Since when.' }),
      diverged: z.boolean().meta({ description: 'True when the file does not say what runs.' }),
      lastReload: z
        .object({
          at: z.string(),
          cause: z.string(),
          result: z.enum(['success', 'failure']),
          findings: z.array(findingSchema).optional(),
          error: z.string().optional(),
        })
        .nullable()
        .meta({ description: 'The last attempt to load the file anew, or to change the configuration.' }),
    })
    .optional(),
  services: z.array(
    z.object({
      name: z.string(),
      endpoints: z.array(
        z.object({
          id: z.string(),
          url: z.string(),
          healthy: z.boolean(),
          active: z.int().meta({ description: 'Requests in progress.' }),
          requests: z.int().meta({ description: 'Sent so far, each try counted.' }),
          failures: z.int(),
        }),
      ),
    }),
  ),
}) satisfies z.ZodType<StatusPicture>;

const trafficFields = {
  requests: z.int().meta({ description: 'Requests answered, or given up by the client.' }),
  failed: z.int().meta({ description: 'Those answered with 5xx.' }),
  successRate: z.number().min(0).max(100).meta({ description: 'Percent that did not fail; 100 without traffic.' }),
  durations: z
    .object({ mean: z.number(), p50: z.number(), p90: z.number(), p99: z.number() })
    .nullable()
    .meta({ description: 'In milliseconds; null without traffic.' }),
};

const relayFields = {
  active: z.int().meta({ description: 'Open now.' }),
  connections: z.int().meta({
    description: 'Relayed or refused, open ones among them. One whose client left before that was known is not.',
  }),
  failed: z.int().meta({
    description:
      'Those for which there was no endpoint that could be reached and had room, or whose route is quarantined.',
  }),
  successRate: z.number().min(0).max(100).meta({ description: 'Percent that did not fail; 100 without connections.' }),
  ended: z.int().meta({ description: 'Over, whatever became of them.' }),
  bytesIn: z.int().meta({ description: 'From clients so far, also of open ones.' }),
  bytesOut: z.int().meta({ description: 'To clients so far, also of open ones.' }),
};

const statsSchema = z.object({
  active: z.int().meta({ description: 'Requests in progress.' }),
  total: z.object(trafficFields),
  routes: z.array(z.object({ route: z.string(), service: z.string(), ...trafficFields })).meta({
    description: 'Routes that had requests; `none` stands for what no route took.',
  }),
  relays: z
    .object({
      total: z.object(relayFields),
      routes: z.array(z.object({ route: z.string(), service: z.string(), ...relayFields })).meta({
        description: 'Routes that had connections; `none` stands for what no route took.',
      }),
    })
    .meta({ description: 'Connections whose bytes are only relayed.' }),
}) satisfies z.ZodType<StatsPicture>;

export const state: AdminResource = {
  name: 'State',
  summary: 'The gateway as it is at this moment.',
  routes: [
    adminRoute({
      method: 'GET',
      path: '/status',
      id: 'getStatus',
      summary: 'Listeners, routes, services and endpoints as they are at this moment, and the config generation.',
      answers: { 200: { description: 'The picture.', schema: statusSchema } },
      example: { path: '/status', status: 200 },
      answer: async (source) => json(200, await source.status()),
    }),
    adminRoute({
      method: 'GET',
      path: '/stats',
      id: 'getStats',
      summary:
        'How many requests and relayed connections there were, how many failed and how long requests took: all together, and by route.',
      description:
        'Counted since the gateway started; the counts of a route end with it. The percentiles are estimates: durations are ' +
        'counted in the buckets of the histograms in `metrics.md`, and within its bucket a duration is taken to be anywhere. ' +
        'Above 30 seconds they say 30 seconds.',
      answers: { 200: { description: 'The numbers.', schema: statsSchema } },
      example: { path: '/stats', status: 200 },
      answer: async (source) => json(200, await source.stats()),
    }),
  ],
};
