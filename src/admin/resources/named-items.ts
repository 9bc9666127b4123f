/** The routes for one list of the configuration whose items have names. */
import { z } from 'zod';
import { deleteItem, itemNamed, itemsOf, patchItem, putItem } from '../../control/config-edits.ts';
import type { NamedList } from '../../control/item-text.ts';
import {
  answerEdit,
  CHANGE_ANSWERS,
  CHANGE_HEADERS,
  CHANGE_QUERY,
  CREATE_ANSWERS,
  controlOf,
  DELETE_ANSWERS,
  isReply,
} from '../config-change.ts';
import { json } from '../reply.ts';
import { jsonBody } from '../request-body.ts';
import { type AdminExample, type AdminRoute, adminRoute } from '../route.ts';

export interface NamedItemsOptions {
  readonly list: NamedList;
  /** `route` or `service`. */
  readonly item: string;
  readonly examples: Readonly<Record<'list' | 'get' | 'put' | 'patch' | 'delete', AdminExample>>;
}

const LARGEST = 1024 * 1024;

const itemSchema = z.looseObject({ name: z.string().optional() });

/** As written, that is with no defaults filled in. */
const writtenSchema = z.looseObject({ name: z.string() });

export const mergePatchBody = {
  ...jsonBody(z.looseObject({}), { limit: LARGEST }),
  mediaTypes: ['application/merge-patch+json', 'application/json'],
};

const itemBody = jsonBody(itemSchema, { limit: LARGEST });

export function namedItemRoutes({ list, item, examples }: NamedItemsOptions): AdminRoute[] {
  const path = `/${list}/{name}`;
  const params = {
    name: z
      .string()
      .min(1)
      .max(200)
      .meta({ description: `Name of the ${item}.` }),
  };
  const Item = `${item[0].toUpperCase()}${item.slice(1)}`;
  const refusals = ['config_invalid', 'conflict', 'precondition_failed'] as const;
  return [
    adminRoute({
      method: 'GET',
      path: `/${list}`,
      id: `get${Item}s`,
      summary: `All ${list} as they are written, in the order of the configuration.`,
      answers: { 200: { description: 'The list.', schema: z.object({ [list]: z.array(writtenSchema) }) } },
      refusals: ['conflict'],
      example: examples.list,
      answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        return json(200, { [list]: itemsOf(control, list) }, { ETag: control.etag });
      },
    }),
    adminRoute({
      method: 'GET',
      path,
      id: `get${Item}`,
      summary: `One ${item} as it is written.`,
      params,
      answers: {
        200: { description: `The ${item}.`, schema: writtenSchema, headers: { ETag: 'Of the whole configuration.' } },
      },
      refusals: ['resource_not_found', 'conflict'],
      example: examples.get,
      answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const { name } = request.path;
        const found = itemNamed(control, list, name);
        if (found === undefined) {
          return request.refuse('resource_not_found', `There is no ${item} ${JSON.stringify(name)}.`);
        }
        return json(200, found, { ETag: control.etag });
      },
    }),
    adminRoute({
      method: 'PUT',
      path,
      id: `put${Item}`,
      summary: `Replaces a ${item}, or adds it at the end of the list.`,
      params,
      query: CHANGE_QUERY,
      headers: CHANGE_HEADERS,
      body: itemBody,
      answers: CREATE_ANSWERS,
      refusals,
      example: examples.put,
      answer: (source, request) =>
        answerEdit(source, request, (control, onNew) => putItem(control, list, request.path.name, request.body, onNew)),
    }),
    adminRoute({
      method: 'PATCH',
      path,
      id: `patch${Item}`,
      summary: `Changes keys of a ${item}: a JSON merge patch (RFC 7396), in which null takes a key out.`,
      params,
      query: CHANGE_QUERY,
      headers: CHANGE_HEADERS,
      body: mergePatchBody,
      answers: CHANGE_ANSWERS,
      refusals: ['resource_not_found', ...refusals],
      example: examples.patch,
      answer: (source, request) =>
        answerEdit(source, request, (control) => patchItem(control, list, request.path.name, request.body)),
    }),
    adminRoute({
      method: 'DELETE',
      path,
      id: `delete${Item}`,
      summary: `Takes a ${item} out.${list === 'services' ? ' One that routes use stays: 409.' : ''}`,
      params,
      query: CHANGE_QUERY,
      headers: CHANGE_HEADERS,
      answers: DELETE_ANSWERS,
      refusals: ['resource_not_found', ...refusals],
      example: examples.delete,
      answer: (source, request) =>
        answerEdit(source, request, (control) => deleteItem(control, list, request.path.name), 204),
    }),
  ];
}
