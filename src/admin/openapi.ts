/** The OpenAPI 3.1 document of the admin API, made from its table of routes. */
import type { z } from 'zod';
import { ERRORS } from '../base/errors.ts';
import { PROBLEM_MEDIA_TYPE } from '../gateway/problem.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';
import { isRepeatable } from './parameters.ts';
import type { AdminAnswer, AdminResource, AdminRoute, Parameters } from './route.ts';
import { refusalsOf } from './route-refusals.ts';

const DESCRIPTION = `What operators see of a running gateway, and how they change it. \`HEAD\` is served wherever \`GET\` is.

A token is asked for where \`admin.token\` is set, which it must be unless the listener is on loopback. Requests of web pages
of other origins are refused, and so are requests for another host than the listener's.`;

const PROBLEM: JsonSchema = {
  description: 'A problem document (RFC 9457).',
  type: 'object',
  properties: {
    type: { type: 'string', description: '`urn:portico:error:CODE`.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Stable: never renamed, never reused.' },
    detail: { type: 'string', description: 'What was wrong.' },
    instance: { type: 'string', description: "The value of the answer's `X-Request-ID`." },
  },
  required: ['type', 'title', 'status', 'code', 'detail', 'instance'],
};

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly [section: string]: unknown;
}

/** `version` is that of Portico. */
export function createOpenApi(resources: readonly AdminResource[], version: string): OpenApiDocument {
  const schemas: Record<string, JsonSchema> = { Problem: PROBLEM };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { name, routes } of resources) {
    for (const route of routes) {
      const item = (paths[route.path] ??= {});
      item[route.method.toLowerCase()] = operationOf(route, name, schemas);
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Portico admin API',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The admin listener; `admin.address` says where it is.' }],
    tags: resources.map(({ name, summary }) => ({ name, description: summary })),
    paths,
    components: {
      schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'The value of `admin.token`.' } },
    },
  };
}

function operationOf(route: AdminRoute, tag: string, schemas: Record<string, JsonSchema>): object {
  const { id, summary, description, params = {}, query = {}, headers = {}, body, open } = route;
  const parameters = [
    ...parametersOf('path', params, schemas),
    ...parametersOf('query', query, schemas),
    ...Object.entries(headers).map(([name, meaning]) => {
      return { name, in: 'header', required: false, description: meaning, schema: { type: 'string' } };
    }),
    // OpenAPI 3.1 has these three say something else: `Accept`, `Content-Type` and `Authorization` are no parameters.
  ].filter(({ name }) => !['Accept', 'Content-Type', 'Authorization'].includes(name));
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: bodyOf(route, schemas) }),
    responses: { ...answersOf(route, schemas), ...problemsOf(route) },
    // Where no token is configured none is asked for.
    security: open === true ? [] : [{ token: [] }, {}],
  };
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

function parametersOf(place: 'path' | 'query', named: Parameters, schemas: Record<string, JsonSchema>): Parameter[] {
  return Object.entries(named).map(([name, schema]) => {
    const { description, ...rest } = placed(schema, schemas);
    return {
      name,
      in: place,
      required: place === 'path' || !schema.safeParse(undefined).success,
      ...(typeof description === 'string' ? { description } : {}),
      schema: rest,
      // `name=a&name=b`, which is also what OpenAPI takes for granted.
      ...(isRepeatable(schema) ? { style: 'form', explode: true } : {}),
    };
  });
}

function bodyOf({ body, example }: AdminRoute, schemas: Record<string, JsonSchema>): object {
  if (body === undefined) return {};
  const schema = body.schema === null ? {} : { schema: placed(body.schema, schemas) };
  const content = body.mediaTypes.map((mediaType, index) => {
    if (index > 0 || example.body === undefined) return [mediaType, schema];
    const isJson = /[/+]json$/.test(mediaType);
    return [mediaType, { ...schema, example: isJson ? JSON.parse(example.body) : example.body }];
  });
  return {
    required: body.required,
    description: `At most ${body.limit} bytes.`,
    content: Object.fromEntries(content),
  };
}

function answersOf({ answers }: AdminRoute, schemas: Record<string, JsonSchema>): Record<string, object> {
  const responses = Object.entries(answers).map(([status, answer]): [string, object] => {
    const { description, headers = {} } = answer;
    const described = Object.entries(headers).map(([name, meaning]): [string, object] => {
      return [name, { description: meaning, schema: { type: 'string' } }];
    });
    return [
      status,
      {
        description,
        ...(described.length === 0 ? {} : { headers: Object.fromEntries(described) }),
        ...contentOf(answer, schemas),
      },
    ];
  });
  return Object.fromEntries(responses);
}

function contentOf({ schema, mediaType }: AdminAnswer, schemas: Record<string, JsonSchema>): object {
  if (schema !== undefined) {
    return { content: { [mediaType ?? 'application/json']: { schema: placed(schema, schemas) } } };
  }
  return mediaType === undefined ? {} : { content: { [mediaType]: { schema: { type: 'string' } } } };
}

/** One response for each status: several codes may share it, and a route's own answer too. */
function problemsOf(route: AdminRoute): Record<string, object> {
  const byStatus = new Map<number, string[]>();
  for (const code of refusalsOf(route)) {
    const { status, title } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `\`${code}\`: ${title.toLowerCase()}.`]);
  }
  const responses = [...byStatus]
    .filter(([status]) => route.answers[status] === undefined)
    .map(([status, lines]): [string, object] => {
      const content = { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } };
      return [String(status), { description: lines.join(' '), content }];
    });
  return Object.fromEntries(responses);
}

/** A schema for where it stands; what it defines by name goes to the schemas that all share. */
function placed(schema: z.ZodType, schemas: Record<string, JsonSchema>): JsonSchema {
  const { $defs = {}, ...rest } = jsonSchemaOf(schema);
  for (const [name, definition] of Object.entries($defs as Record<string, JsonSchema>)) {
    const moved = withMovedReferences(definition) as JsonSchema;
    const known = schemas[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(moved)) {
      throw new Error(`two schemas of the admin API are called ${name}`);
    }
    schemas[name] = moved;
  }
  return withMovedReferences(rest) as JsonSchema;
}

function withMovedReferences(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withMovedReferences);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => {
      if (key !== '$ref' || typeof value !== 'string') return [key, withMovedReferences(value)];
      return [key, value.replace('#/$defs/', '#/components/schemas/')];
    }),
  );
}
