/** The gateway as it is at this moment. */
import { z } from 'zod';
import type { StatusPicture } from '../../gateway/picture.ts';
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
        description: 'Why it came to run: `start`, `signal`, `file`, `api`, `rollback` or `last-good`.',
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
  ],
};
