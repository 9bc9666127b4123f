/** The options of `externalAuth`. */
import { z } from 'zod';
import { editableHeaderNameSchema } from '../../config/header-schema.ts';
import { duration } from '../../config/scalar-schema.ts';
import { callUrlSchema } from '../../config/url-schema.ts';

/** What the question says of the request by itself. */
const QUESTION_HEADERS: readonly string[] = [
  'x-forwarded-method',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-uri',
  'x-forwarded-for',
  'x-request-id',
];

/** Names that nobody but the gateway may say. */
const askedHeaderSchema = editableHeaderNameSchema.refine(
  (name) => !QUESTION_HEADERS.includes(name.toLowerCase()) && !/^accept-encoding$/i.test(name),
  { error: 'is one that the gateway sends of its own' },
);

/** What names the request, or who it is from, is not for an answer to say. */
const answeredHeaderSchema = editableHeaderNameSchema.refine(
  (name) => !/^(?:x-forwarded-|forwarded$|x-request-id$|traceparent$|via$)/i.test(name),
  { error: 'is written by the gateway itself' },
);

export const externalAuthSchema = z
  .strictObject({
    url: callUrlSchema.describe('Where to ask, by GET, whether a request may pass'),
    timeout: duration(1, 60_000).prefault('1s').describe('How long the answer may take'),
    requestHeaders: z
      .array(askedHeaderSchema)
      .max(64)
      .default(['authorization', 'cookie'])
      .describe(
        'Headers of the request that are copied into the question, beside `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`, `-For` and `X-Request-ID`',
      ),
    forwardHeaders: z
      .array(answeredHeaderSchema)
      .max(64)
      .default([])
      .describe(
        'Headers of a good answer that the upstream is sent, in place of those of the client; `X-User-ID`, `X-User-Roles`, `X-Consumer-Name` and `X-Consumer-Tier` among them say who calls',
      ),
    failOpen: z
      .boolean()
      .default(false)
      .describe(
        'Whether requests pass where the answer is 5xx, or there is none: whoever can bring that about passes, too',
      ),
  })
  .describe(
    'Asks a service of yours about each request: 2xx lets it pass, and what else it answers but 5xx is the answer to the client.',
  );

export type ExternalAuthOptions = z.output<typeof externalAuthSchema>;
