/** What requests that change the configuration have in common: their conditions, and how their outcome is answered. */
import { z } from 'zod';
import type { ChangeWish, Edit, Outcome, Refusal } from '../control/change-wish.ts';
import type { ConfigControl } from '../control/config-control.ts';
import { findingSchema } from './finding-schema.ts';
import { flag } from './parameters.ts';
import { type AdminReply, empty, json } from './reply.ts';
import type { AdminAnswer, AdminRequest } from './route.ts';
import type { AdminSource } from './source.ts';

export const CHANGE_QUERY = {
  dryRun: flag('Changes nothing, and answers what would change.'),
};

export const CHANGE_HEADERS = {
  'If-Match': 'Entity tags: the change is made only when the running configuration has one of them, else 412.',
};

const ETAG = { ETag: 'The entity tag of the configuration that runs now.' };

export const GENERATION_HEADER = 'X-Portico-Generation';

const warnings = z.array(findingSchema).meta({ description: 'What `portico check` warns of.' });

const changeSchema = z.object({
  severity: z.string(),
  code: z.string(),
  message: z.string(),
});

const plannedSchema = z.object({
  valid: z.literal(true),
  changes: z.array(z.looseObject(changeSchema.shape)).meta({ description: 'As `portico plan --json` tells them.' }),
  summary: z.object({ added: z.int(), removed: z.int(), changed: z.int() }),
  warnings,
});

const doneSchema = z.object({
  changed: z.boolean().meta({ description: 'False when that was the running configuration already.' }),
  generation: z.int().meta({ description: 'The one that runs now.' }),
  warnings,
});

/** The answers of a route that changes the configuration. */
export const CHANGE_ANSWERS: Readonly<Record<number, AdminAnswer>> = {
  200: {
    description: 'It runs now; with `dryRun`, what would change.',
    schema: z.union([doneSchema, plannedSchema]),
    headers: ETAG,
  },
};

export const CREATE_ANSWERS: Readonly<Record<number, AdminAnswer>> = {
  ...CHANGE_ANSWERS,
  201: { description: 'It was added, and runs now.', schema: doneSchema, headers: ETAG },
};

export const DELETE_ANSWERS: Readonly<Record<number, AdminAnswer>> = {
  200: { description: 'With `dryRun`: what would change.', schema: plannedSchema, headers: ETAG },
  204: { description: 'It is gone.', headers: ETAG },
};

/** A refusal for want of a configuration that can be shown or changed. */
export function controlOf(source: AdminSource, request: AdminRequest): ConfigControl | AdminReply {
  return (
    source.control ??
    request.refuse(
      'conflict',
      'This gateway has no configuration that could be shown or changed: it was not started from a file.',
    )
  );
}

export function isReply(value: ConfigControl | AdminReply): value is AdminReply {
  return 'status' in value;
}

export function wishOf(request: AdminRequest, dryRun: boolean, cause = 'api'): ChangeWish {
  return { cause, by: request.client, ifMatch: entityTags(request.headers['if-match']), dryRun };
}

/** RFC 9110 section 13.1.1: weak tags never match. */
function entityTags(field: string | undefined): string[] | null {
  if (field === undefined) return null;
  if (field.trim() === '*') return ['*'];
  return (field.match(/(W\/)?"[^"]*"/g) ?? []).filter((tag) => !tag.startsWith('W/'));
}

export function answerOutcome(
  outcome: Outcome,
  control: ConfigControl,
  request: AdminRequest,
  success: 200 | 201 | 204 = 200,
): AdminReply {
  const { generation } = control;
  const headers = { ETag: control.etag, [GENERATION_HEADER]: String(generation) };
  switch (outcome.kind) {
    case 'done':
      if (success === 204) return empty(headers);
      return json(success, { changed: outcome.changed, generation, warnings: outcome.warnings }, headers);
    case 'planned':
      return json(200, { valid: true, ...outcome.plan, warnings: outcome.warnings }, headers);
    case 'invalid':
      return request.refuse('config_invalid', faultsOf(outcome.findings.length), { findings: outcome.findings });
    case 'refused':
      return request.refuse(outcome.code, outcome.reason);
  }
}

/** Makes the edit that `find` tells, and answers its outcome: 201 when `find` said by `onNew` that it adds something. */
export async function answerEdit(
  source: AdminSource,
  request: AdminRequest<unknown, { readonly dryRun: boolean }>,
  find: (control: ConfigControl, onNew: () => void) => Edit | Refusal,
  success: 200 | 204 = 200,
): Promise<AdminReply> {
  const control = controlOf(source, request);
  if (isReply(control)) return control;
  let isNew = false;
  const outcome = await control.edit(() => find(control, () => (isNew = true)), wishOf(request, request.query.dryRun));
  return answerOutcome(outcome, control, request, isNew ? 201 : success);
}

function faultsOf(count: number): string {
  return `The configuration has ${count === 1 ? 'an error' : 'errors'}: see \`findings\`.`;
}
