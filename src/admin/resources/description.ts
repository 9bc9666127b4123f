/** The API about itself. */
import { z } from 'zod';
import { createOpenApi, type OpenApiDocument } from '../openapi.ts';
import { json } from '../reply.ts';
import { type AdminResource, adminRoute } from '../route.ts';

/** `resources` are those of the contract, this one among them: asked for when somebody wants to know. */
export function createDescription(resources: () => readonly AdminResource[]): AdminResource {
  let made: OpenApiDocument | null = null;
  return {
    name: 'Description',
    summary: 'The API about itself.',
    routes: [
      adminRoute({
        method: 'GET',
        path: '/openapi.json',
        id: 'getOpenApi',
        summary: 'This API as an OpenAPI 3.1 document.',
        answers: {
          200: { description: 'The document.', schema: z.looseObject({ openapi: z.literal('3.1.0') }) },
        },
        example: { path: '/openapi.json', status: 200 },
        answer(source) {
          made ??= createOpenApi(resources(), source.version);
          return json(200, made);
        },
      }),
    ],
  };
}
