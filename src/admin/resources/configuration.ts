/** The whole configuration: as it runs, as it was, and as it shall be. */
import { z } from 'zod';
import type { ConfigText } from '../../config/load.ts';
import { etagOf } from '../../control/config-document.ts';
import {
  answerOutcome,
  CHANGE_ANSWERS,
  CHANGE_HEADERS,
  CHANGE_QUERY,
  controlOf,
  GENERATION_HEADER,
  isReply,
  wishOf,
} from '../config-change.ts';
import { findingSchema } from '../finding-schema.ts';
import { wholeNumber } from '../parameters.ts';
import { json } from '../reply.ts';
import { type BodyKind, CONFIG_LIMIT, JSON_MEDIA_TYPE, parseJson, YAML_MEDIA_TYPES } from '../request-body.ts';
import { type AdminResource, adminRoute } from '../route.ts';

/** A text that calls itself JSON is held to that. */
const configBody: BodyKind<ConfigText> = {
  mediaTypes: [...YAML_MEDIA_TYPES, JSON_MEDIA_TYPE],
  limit: CONFIG_LIMIT,
  required: true,
  schema: null,
  parse(text, mediaType) {
    if (mediaType !== JSON_MEDIA_TYPE) return { value: { text, format: 'yaml' } };
    const { error } = parseJson(text);
    return error === null ? { value: { text, format: 'json' } } : { fault: `The body is not JSON: ${error}.` };
  },
};

/** Where nothing is said JSON is answered, which is YAML too. */
function wantsYaml(accept: string | undefined): boolean {
  const types = (accept ?? '').toLowerCase().split(',');
  const named = types.map((type) => type.split(';')[0].trim());
  return YAML_MEDIA_TYPES.some((type) => named.includes(type)) && !named.includes('application/json');
}

const keptSchema = z.object({
  generation: z.int(),
  at: z.string().meta({ description: 'When it came to run, in ISO 8601.' }),
  cause: z
    .string()
    .meta({ description: '`start`, `signal`, `file`, `certificate`, `api`, `rollback` or `last-good`.' }),
  etag: z.string(),
});

const EXAMPLE = `version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
routes: [{ name: teapot, match: { path: /teapot }, respond: { status: 418 } }]
`;

export const configuration: AdminResource = {
  name: 'Configuration',
  summary: 'The whole configuration: as it runs, as it was, and as it shall be.',
  routes: [
    adminRoute({
      method: 'GET',
      path: '/config',
      id: 'getConfig',
      summary: 'The running configuration as it is written: references such as `${env.NAME}` are not filled in.',
      description:
        'JSON, or with `Accept: application/yaml` YAML: the very text where it is kept as YAML, comments included.',
      headers: { Accept: '`application/yaml` or `application/json`.' },
      answers: {
        200: {
          description: 'The configuration.',
          schema: z.looseObject({ version: z.literal(1) }),
          headers: { ETag: 'For `If-Match`.', [GENERATION_HEADER]: 'The running generation.' },
        },
      },
      refusals: ['conflict'],
      example: { path: '/config', headers: { Accept: 'application/yaml' }, status: 200 },
      answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const yaml = wantsYaml(request.headers.accept);
        return {
          status: 200,
          mediaType: yaml ? 'application/yaml' : 'application/json',
          body: control.textAs(yaml ? 'yaml' : 'json'),
          headers: { ETag: control.etag, [GENERATION_HEADER]: String(control.generation), Vary: 'Accept' },
        };
      },
    }),
    adminRoute({
      method: 'PUT',
      path: '/config',
      id: 'putConfig',
      summary: 'Runs another configuration, all of it or nothing; an equal one is no new generation.',
      description:
        'Needs `admin.writes: true`; `admin.persist` says where it is kept. With `dryRun` it is only checked and compared, which is always allowed. JSON for a YAML file is worked into it, so that comments of what stays are kept.',
      query: CHANGE_QUERY,
      headers: CHANGE_HEADERS,
      body: configBody,
      answers: CHANGE_ANSWERS,
      refusals: ['config_invalid', 'conflict', 'precondition_failed'],
      example: { path: '/config?dryRun=true', body: EXAMPLE, status: 200 },
      async answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const outcome = await control.put(request.body, wishOf(request, request.query.dryRun));
        return answerOutcome(outcome, control, request);
      },
    }),
    adminRoute({
      method: 'POST',
      path: '/config/validate',
      id: 'validateConfig',
      summary:
        'Checks a configuration as `portico check` does, where the gateway runs: with its environment and files.',
      body: configBody,
      answers: {
        200: {
          description: 'It may run.',
          schema: z.object({ valid: z.literal(true), findings: z.array(findingSchema) }),
        },
      },
      refusals: ['config_invalid', 'conflict'],
      example: { path: '/config/validate', body: EXAMPLE, status: 200 },
      async answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const { config, findings } = await control.validate(request.body);
        if (config !== null) return json(200, { valid: true, findings });
        return request.refuse('config_invalid', 'The configuration has errors: see `findings`.', {
          valid: false,
          findings,
        });
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/config/history',
      id: 'getConfigHistory',
      summary:
        'The last 50 configurations that ran, the newest first; with `stateDir` also those of earlier processes.',
      answers: { 200: { description: 'The history.', schema: z.object({ history: z.array(keptSchema) }) } },
      refusals: ['conflict'],
      example: { path: '/config/history', status: 200 },
      answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const history = control.history.map(({ generation, at, cause, source: text }) => {
          return { generation, at, cause, etag: etagOf(text) };
        });
        return json(200, { history });
      },
    }),
    adminRoute({
      method: 'POST',
      path: '/config/rollback/{generation}',
      id: 'rollbackConfig',
      summary: 'Runs a configuration of the history again, as a new generation.',
      params: { generation: wholeNumber(1, Number.MAX_SAFE_INTEGER, 'Of the history.') },
      query: CHANGE_QUERY,
      headers: CHANGE_HEADERS,
      answers: CHANGE_ANSWERS,
      refusals: ['resource_not_found', 'config_invalid', 'conflict', 'precondition_failed'],
      example: { path: '/config/rollback/1', status: 200 },
      async answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const { generation } = request.path;
        const outcome = await control.rollback(generation, wishOf(request, request.query.dryRun, 'rollback'));
        if (outcome === null) {
          return request.refuse('resource_not_found', `The history has no generation ${generation}.`);
        }
        return answerOutcome(outcome, control, request);
      },
    }),
    adminRoute({
      method: 'POST',
      path: '/reload',
      id: 'reload',
      summary: 'Loads the file anew, as SIGHUP does, and tells how that ended.',
      answers: {
        200: {
          description: 'What the file says runs.',
          schema: z.object({ changed: z.boolean(), generation: z.int() }),
        },
      },
      refusals: ['config_invalid', 'conflict'],
      example: { path: '/reload', status: 200 },
      async answer(source, request) {
        const control = controlOf(source, request);
        if (isReply(control)) return control;
        const before = control.generation;
        const { result, findings, error } = await control.reload('api');
        const { generation } = control;
        if (result === 'success') return json(200, { changed: generation !== before, generation });
        return findings === undefined
          ? request.refuse('conflict', `The configuration could not be applied: ${error}.`)
          : request.refuse('config_invalid', 'The file has errors: see `findings`.', { findings });
      },
    }),
  ],
};
