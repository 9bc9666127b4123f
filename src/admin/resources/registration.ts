/** Endpoints that register themselves. */
import { z } from 'zod';
import { parseDuration } from '../../base/duration.ts';
import { parseEndpointUrl } from '../../config/endpoint-url.ts';
import { MOST_REGISTERED } from '../../control/endpoint-registry.ts';
import { endpointId } from '../../upstream/endpoint.ts';
import { controlOf, isReply } from '../config-change.ts';
import { empty, json } from '../reply.ts';
import { jsonBody } from '../request-body.ts';
import { type AdminResource, adminRoute } from '../route.ts';
import { ENDPOINT_PARAMS, noService } from './services.ts';

/** Milliseconds. */
const SHORTEST_TTL = 100;
const LONGEST_TTL = 24 * 60 * 60 * 1000;

const ttlSchema = z
  .union([z.string(), z.number()])
  .transform((value, context): number => {
    const ttl = typeof value === 'number' ? value * 1000 : durationOf(value);
    if (ttl >= SHORTEST_TTL && ttl <= LONGEST_TTL) return ttl;
    context.addIssue({ code: 'custom', message: 'must be a duration from 100ms to 24h, such as "30s", or seconds' });
    return z.NEVER;
  })
  .meta({
    description: 'How long it stays without a heartbeat: a duration, or seconds. Without it, until it is deleted.',
  });

/** NaN for what is none. */
function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    return Number.NaN;
  }
}

const registrationSchema = z.strictObject({
  url: z
    .string()
    .transform((text, context): string => {
      try {
        return parseEndpointUrl(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .meta({ description: '`http://host:port`.' }),
  weight: z.int().min(1).max(10_000).default(1),
  ttl: ttlSchema.optional(),
});

export const registration: AdminResource = {
  name: 'Registration',
  summary:
    'Endpoints that register themselves run beside those of the configuration, which says nothing of them. Allowed with `admin.writes: true`, and for services with `registration: true`.',
  routes: [
    adminRoute({
      method: 'POST',
      path: '/services/{name}/endpoints',
      id: 'registerEndpoint',
      summary:
        'Registers an endpoint, or renews it. It serves from then on, until it is deleted or its heartbeats end.',
      params: { name: ENDPOINT_PARAMS.name },
      body: jsonBody(registrationSchema),
      answers: {
        201: {
          description: 'It is registered.',
          schema: z.object({ id: z.string(), url: z.string(), weight: z.int(), ttl: z.number().nullable() }),
          headers: { Location: 'Of the endpoint.' },
        },
      },
      refusals: ['resource_not_found', 'conflict'],
      example: {
        path: '/services/users/endpoints',
        body: '{ "url": "http://127.0.0.1:9007", "ttl": "30s" }',
        status: 201,
      },
      async answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const { name } = request.path;
        const service = control.config.services.find((candidate) => candidate.name === name);
        if (service === undefined) return noService(request, name);
        const { registry } = source;
        if (registry === undefined || (service.registration !== true && control.config.admin?.writes !== true)) {
          const why = 'neither is admin.writes true, nor `registration` of the service';
          return request.refuse('conflict', `Endpoints may not register themselves here: ${why}.`);
        }
        const registered = registry.of(name);
        if (registered.size >= MOST_REGISTERED && !registered.has(endpointId(request.body.url))) {
          return request.refuse('conflict', `${MOST_REGISTERED} endpoints are registered: there is no room for more.`);
        }
        const { url, weight, ttl = null } = request.body;
        let id: string;
        try {
          id = await registry.register(name, { url, weight, ttl });
        } catch (error) {
          return request.refuse('conflict', `The endpoint could not be registered: ${(error as Error).message}.`);
        }
        const location = `/services/${encodeURIComponent(name)}/endpoints/${encodeURIComponent(id)}`;
        return json(201, { id, url, weight, ttl }, { Location: location });
      },
    }),
    adminRoute({
      method: 'PUT',
      path: '/services/{name}/endpoints/{id}/heartbeat',
      id: 'heartbeat',
      summary: 'Says that a registered endpoint is still there. 404 when it has lapsed: it must register again.',
      params: ENDPOINT_PARAMS,
      answers: { 204: { description: 'Its time begins anew.' } },
      refusals: ['resource_not_found'],
      example: {
        path: '/services/users/endpoints/127.0.0.1:9007/heartbeat',
        status: 204,
        after: ['registerEndpoint'],
      },
      answer(source, request) {
        const { name, id } = request.path;
        if (source.registry?.heartbeat(name, id) === true) return empty();
        return request.refuse(
          'resource_not_found',
          `No endpoint ${JSON.stringify(id)} is registered here: it lapsed, or never was.`,
        );
      },
    }),
  ],
};
