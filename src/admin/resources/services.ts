/** Single services of the configuration, and the endpoints that are written there. */
import { z } from 'zod';
import type { ChangeWish, Outcome } from '../../control/change-wish.ts';
import type { ConfigControl } from '../../control/config-control.ts';
import { deleteEndpoint, hasEndpoint, noEndpoint, patchEndpoint, putEndpoint } from '../../control/config-edits.ts';
import type { EndpointRegistry } from '../../control/endpoint-registry.ts';
import { endpointId } from '../../upstream/endpoint.ts';
import {
  answerEdit,
  answerOutcome,
  CHANGE_ANSWERS,
  CHANGE_HEADERS,
  CHANGE_QUERY,
  CREATE_ANSWERS,
  controlOf,
  DELETE_ANSWERS,
  isReply,
  wishOf,
} from '../config-change.ts';
import { type AdminReply, json } from '../reply.ts';
import { jsonBody } from '../request-body.ts';
import { type AdminRequest, type AdminResource, type AdminRoute, adminRoute } from '../route.ts';
import type { AdminSource } from '../source.ts';
import { mergePatchBody, namedItemRoutes } from './named-items.ts';

const NAME = z.string().min(1).max(200).meta({ description: 'Name of the service.' });
const ID = z.string().min(1).max(300).meta({ description: '`host:port` of the endpoint.' });

export const ENDPOINT_PARAMS = { name: NAME, id: ID };

const endpointSchema = z.object({
  id: z.string(),
  url: z.string(),
  weight: z.int(),
  drain: z.boolean().meta({ description: 'True when it takes no new requests.' }),
  registered: z
    .boolean()
    .meta({ description: 'True when it registered itself; else it is written in the configuration.' }),
  ttl: z
    .number()
    .nullable()
    .meta({ description: 'Milliseconds between heartbeats of a registered one; null for no bound.' }),
  healthy: z.boolean(),
  active: z.int().meta({ description: 'Requests in progress.' }),
  requests: z.int(),
  failures: z.int(),
});

type EndpointPicture = z.output<typeof endpointSchema>;

/** The endpoints of a service, written and registered; null when there is no such service. */
async function endpointsOf(source: AdminSource, service: string): Promise<EndpointPicture[] | null> {
  // What is not kept, as in the demo, runs all the same.
  const config = source.control?.config.services.find(({ name }) => name === service);
  const live = (await source.status()).services.find(({ name }) => name === service)?.endpoints;
  if (live === undefined) return config === undefined ? null : [];
  const registered = source.registry?.of(service) ?? new Map();
  const weights = new Map(config?.endpoints.map((endpoint) => [endpointId(endpoint.url), endpoint]));
  return live.map(({ id, url, healthy, active, requests, failures }) => {
    const written = weights.get(id);
    const lease = written === undefined ? registered.get(id) : undefined;
    const { weight = 1, drain = false } = written ?? lease ?? {};
    const ttl = lease?.ttl ?? null;
    return { id, url, weight, drain, registered: lease !== undefined, ttl, healthy, active, requests, failures };
  });
}

const refusals = ['resource_not_found', 'config_invalid', 'conflict', 'precondition_failed'] as const;

const endpointRoutes: AdminRoute[] = [
  adminRoute({
    method: 'GET',
    path: '/services/{name}/endpoints',
    id: 'getEndpoints',
    summary: 'The endpoints of a service, those of the configuration and those that registered themselves.',
    params: { name: NAME },
    answers: { 200: { description: 'The list.', schema: z.object({ endpoints: z.array(endpointSchema) }) } },
    refusals: ['resource_not_found'],
    example: { path: '/services/users/endpoints', status: 200 },
    async answer(source, request) {
      const endpoints = await endpointsOf(source, request.path.name);
      return endpoints === null ? noService(request, request.path.name) : json(200, { endpoints });
    },
  }),
  adminRoute({
    method: 'GET',
    path: '/services/{name}/endpoints/{id}',
    id: 'getEndpoint',
    summary: 'One endpoint.',
    params: ENDPOINT_PARAMS,
    answers: { 200: { description: 'The endpoint.', schema: endpointSchema } },
    refusals: ['resource_not_found'],
    example: { path: '/services/users/endpoints/127.0.0.1:9001', status: 200 },
    async answer(source, request) {
      const { name, id } = request.path;
      const endpoints = await endpointsOf(source, name);
      if (endpoints === null) return noService(request, name);
      const found = endpoints.find((endpoint) => endpoint.id === id);
      return found === undefined ? request.refuse('resource_not_found', noEndpoint(name, id).reason) : json(200, found);
    },
  }),
  adminRoute({
    method: 'PUT',
    path: '/services/{name}/endpoints/{id}',
    id: 'putEndpoint',
    summary: 'Replaces an endpoint of the configuration, or adds it at the end of the list.',
    params: ENDPOINT_PARAMS,
    query: CHANGE_QUERY,
    headers: CHANGE_HEADERS,
    body: jsonBody(z.looseObject({ url: z.string().optional() })),
    answers: CREATE_ANSWERS,
    refusals,
    example: {
      path: '/services/users/endpoints/127.0.0.1:9005',
      body: '{ "url": "http://127.0.0.1:9005", "weight": 2 }',
      status: 201,
    },
    async answer(source, request) {
      const { name, id } = request.path;
      const { url = `http://${id}` } = request.body;
      if (idOf(url) !== id) {
        return request.refuse('bad_request', `The url of the body is not that of the path: ${JSON.stringify(id)}.`);
      }
      return answerEdit(source, request, (control, onNew) =>
        putEndpoint(control, name, id, { ...request.body, url }, onNew),
      );
    },
  }),
  adminRoute({
    method: 'PATCH',
    path: '/services/{name}/endpoints/{id}',
    id: 'patchEndpoint',
    summary: 'Changes keys of an endpoint of the configuration: a JSON merge patch (RFC 7396).',
    params: ENDPOINT_PARAMS,
    query: CHANGE_QUERY,
    headers: CHANGE_HEADERS,
    body: mergePatchBody,
    answers: CHANGE_ANSWERS,
    refusals,
    example: { path: '/services/users/endpoints/127.0.0.1:9001', body: '{ "weight": 3 }', status: 200 },
    answer(source, request) {
      const { name, id } = request.path;
      return answerEdit(source, request, (control) => patchEndpoint(control, name, id, request.body));
    },
  }),
  adminRoute({
    method: 'DELETE',
    path: '/services/{name}/endpoints/{id}',
    id: 'deleteEndpoint',
    summary: 'Takes an endpoint out: of the configuration, or of the registry. Requests that it has end.',
    params: ENDPOINT_PARAMS,
    query: CHANGE_QUERY,
    headers: CHANGE_HEADERS,
    answers: DELETE_ANSWERS,
    refusals,
    example: { path: '/services/users/endpoints/127.0.0.1:9005', status: 204, after: ['putEndpoint'] },
    async answer(source, request) {
      const control = controlOf(source, request);
      if (isReply(control)) return control;
      const { name, id } = request.path;
      const wish = wishOf(request, request.query.dryRun);
      const outcome =
        (await changeRegistered(source, control, name, id, wish, (registry) => registry.deregister(name, id))) ??
        (await control.edit(() => deleteEndpoint(control, name, id), wish));
      return answerOutcome(outcome, control, request, 204);
    },
  }),
  drainRoute('drain', true, 'Lets an endpoint take no new requests; those that it has end.'),
  drainRoute('enable', false, 'Lets an endpoint that was drained take requests again.'),
];

const DONE: Outcome = { kind: 'done', changed: true, warnings: [] };
const PLANNED: Outcome = {
  kind: 'planned',
  plan: { changes: [], summary: { added: 0, removed: 0, changed: 0 } },
  warnings: [],
};

/** Changes an endpoint that registered itself, under the conditions of the request; null when it did not. */
async function changeRegistered(
  { registry }: AdminSource,
  control: ConfigControl,
  service: string,
  id: string,
  wish: ChangeWish,
  change: (registry: EndpointRegistry) => Promise<boolean>,
): Promise<Outcome | null> {
  if (registry?.of(service).has(id) !== true || hasEndpoint(control, service, id)) return null;
  const unmet = control.unmet(wish);
  if (unmet !== null) return unmet;
  // The configuration, of which plans are, does not know it.
  if (wish.dryRun === true) return PLANNED;
  try {
    return (await change(registry)) ? DONE : null;
  } catch (error) {
    return { kind: 'refused', code: 'conflict', reason: `The change could not be made: ${(error as Error).message}.` };
  }
}

function drainRoute(verb: 'drain' | 'enable', drain: boolean, summary: string): AdminRoute {
  return adminRoute({
    method: 'POST',
    path: `/services/{name}/endpoints/{id}/${verb}`,
    id: `${verb}Endpoint`,
    summary,
    params: ENDPOINT_PARAMS,
    headers: CHANGE_HEADERS,
    answers: CHANGE_ANSWERS,
    refusals,
    example: { path: `/services/users/endpoints/127.0.0.1:9001/${verb}`, status: 200 },
    async answer(source, request) {
      const control = controlOf(source, request);
      if (isReply(control)) return control;
      const { name, id } = request.path;
      const wish = wishOf(request, false);
      const outcome =
        (await changeRegistered(source, control, name, id, wish, (registry) => registry.drain(name, id, drain))) ??
        // What is not there is false: enabling leaves the file as it was before the drain.
        (await control.edit(() => patchEndpoint(control, name, id, { drain: drain ? true : null }), wish));
      return answerOutcome(outcome, control, request);
    },
  });
}

export function noService(request: AdminRequest, name: string): AdminReply {
  return request.refuse('resource_not_found', `There is no service ${JSON.stringify(name)}.`);
}

/** Null for what cannot be an endpoint's URL: the configuration's own check says why. */
function idOf(url: string): string | null {
  try {
    return endpointId(url);
  } catch {
    return null;
  }
}

export const services: AdminResource = {
  name: 'Services',
  summary: 'Single services and endpoints, as parts of the one configuration: what holds for `PUT /config` holds here.',
  routes: [
    ...namedItemRoutes({
      list: 'services',
      item: 'service',
      examples: {
        list: { path: '/services', status: 200 },
        get: { path: '/services/users', status: 200 },
        put: { path: '/services/carts', body: '{ "endpoints": ["http://127.0.0.1:9009"] }', status: 201 },
        patch: { path: '/services/users', body: '{ "timeouts": { "response": "10s" } }', status: 200 },
        delete: { path: '/services/carts', status: 204, after: ['putService'] },
      },
    }),
    ...endpointRoutes,
  ],
};
