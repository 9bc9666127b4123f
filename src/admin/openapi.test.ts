/** The OpenAPI document is valid, whole, and says what the table of routes says. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, closeAll, start } from './admin.test.support.ts';
import { ADMIN_RESOURCES, ADMIN_ROUTES } from './contract.ts';
import { createOpenApi } from './openapi.ts';
import { adminRoute } from './route.ts';

afterEach(closeAll);

/** What the tests look at; the validator looks at all of it. */
interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: { required: boolean; content: Record<string, object> };
  responses: Record<string, { description: string; content?: Record<string, object> }>;
  security: object[];
}

interface Document {
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

describe('the OpenAPI document of the admin API', () => {
  it('is what /openapi.json answers, and is valid OpenAPI 3.1', async () => {
    const answer = await ask(await start(), '/openapi.json');
    expect(answer.status).toBe(200);
    const document = JSON.parse(answer.body) as Document & Record<string, unknown>;
    const validator = new Validator();
    expect(await validator.validate(document)).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    expect(document.info.version).toBe('1.2.3');
  });

  it('is found invalid when it is: the validator can say no', async () => {
    const document = createOpenApi(ADMIN_RESOURCES, '1') as unknown as Document;
    const [path] = Object.keys(document.paths);
    const broken = { ...document, paths: { ...document.paths, [path]: { get: { responses: { ok: {} } } } } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  it('has every route with its parameters, its body, its answers and its security, and no other ones', () => {
    const { paths } = createOpenApi(ADMIN_RESOURCES, '1') as unknown as Document;
    const written = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(written.map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(
      ADMIN_ROUTES.map(({ path, method }) => `${method} ${path}`).sort(),
    );
    for (const route of ADMIN_ROUTES) {
      const operation = paths[route.path][route.method.toLowerCase()];
      expect(operation.operationId).toBe(route.id);
      const named = (place: string): string[] =>
        (operation.parameters ?? []).filter((parameter) => parameter.in === place).map(({ name }) => name);
      expect(named('path')).toEqual(Object.keys(route.params ?? {}));
      expect(named('query')).toEqual(Object.keys(route.query ?? {}));
      expect(Object.keys(operation.requestBody?.content ?? {})).toEqual(route.body?.mediaTypes ?? []);
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(Object.keys(route.answers)));
      expect(operation.responses).toHaveProperty('403');
      expect('401' in operation.responses).toBe(route.open !== true);
      expect('413' in operation.responses).toBe(route.body !== undefined);
      expect(operation.security).toEqual(route.open === true ? [] : [{ token: [] }, {}]);
    }
  });

  it('has no reference that leads nowhere', () => {
    const document = createOpenApi(ADMIN_RESOURCES, '1') as unknown as Document;
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
    expect(references.length).toBeGreaterThan(0);
    const known = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    for (const reference of references) expect(known).toContain(reference);
  });

  it('shares schemas that have a name', () => {
    const tree: z.ZodType = z
      .object({
        get children() {
          return z.array(tree);
        },
      })
      .meta({ id: 'Tree' });
    const route = adminRoute({
      method: 'GET',
      path: '/tree',
      id: 'tree',
      summary: 's',
      answers: { 200: { description: 'd', schema: z.object({ tree }) } },
      example: { path: '/tree', status: 200 },
      answer: () => ({ status: 200, mediaType: null, body: '' }),
    });
    const resource = { name: 'a', summary: 'b', routes: [route] };
    const document = createOpenApi([resource], '1') as unknown as Document;
    expect(document.components.schemas.Tree).toMatchObject({
      properties: { children: { items: { $ref: '#/components/schemas/Tree' } } },
    });
  });
});
