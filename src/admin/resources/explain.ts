/** Why a request goes where it goes, by the configuration that runs. */
import { z } from 'zod';
import { normalizeIp } from '../../base/ip.ts';
import { isToken } from '../../base/token.ts';
import type { Explanation } from '../../gateway/explain.ts';
import { json } from '../reply.ts';
import { type AdminResource, adminRoute } from '../route.ts';

const explanationSchema = z.object({
  route: z.string().nullable(),
  candidates: z
    .array(z.object({ route: z.string(), matched: z.boolean(), reason: z.string() }))
    .meta({ description: 'Every route in the order of precedence, and why it was or was not chosen.' }),
  policies: z.array(z.object({ name: z.string(), phase: z.string(), effect: z.string() })),
  service: z.string().nullable(),
  sticky: z
    .string()
    .optional()
    .meta({ description: 'What the cookie of a sticky service does to the request; absent where there is none.' }),
  endpoints: z.array(z.object({ id: z.string(), url: z.string(), weight: z.number(), chosen: z.boolean() })),
  request: z
    .object({
      method: z.string(),
      url: z.string(),
      headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
    })
    .nullable()
    .meta({ description: 'As the upstream would get it; null when the gateway answers by itself.' }),
  answer: z
    .object({ status: z.int(), code: z.string(), body: z.string() })
    .nullable()
    .meta({ description: "The gateway's own answer; null when an upstream is asked." }),
  reason: z
    .string()
    .optional()
    .meta({ description: 'Why a policy refused, which clients are not told; absent where none did.' }),
}) satisfies z.ZodType<Explanation>;

/** One line of a head: what would begin another one, or cannot be a byte of one, is no part of it. */
const ONE_LINE = /^[\t\x20-\x7e\x80-\xff]*$/;

const headerLine = z
  .string()
  .refine(
    (line) => ONE_LINE.test(line) && isToken(line.split(':', 1)[0]) && line.includes(':'),
    'must be `name: value`',
  );

export const explain: AdminResource = {
  name: 'Explain',
  summary: 'Why a request goes where it goes, by the configuration that runs.',
  routes: [
    adminRoute({
      method: 'GET',
      path: '/explain',
      id: 'explainRequest',
      summary:
        'Tells which route, policies and endpoint decide a request, and why the others do not: what `portico explain --json` tells.',
      description: 'Nothing is sent, and health, limits and turns of the running gateway play no part.',
      query: {
        method: z.string().refine(isToken, 'must be a method').default('GET').meta({ description: 'Default: `GET`.' }),
        url: z
          .string()
          .max(32 * 1024)
          .regex(
            /^(\/|(https?|wss?):\/\/[^/?#])[\x21-\x7e\x80-\xff]*$/i,
            'must be an absolute URL or a path, percent-encoded',
          )
          .meta({
            description:
              'Absolute, or a path for which the host is `localhost`; `ws://` and `wss://` add the handshake of a WebSocket.',
          }),
        header: z
          .array(headerLine)
          .max(100)
          .default([])
          .meta({ description: 'A header of the request, `Name: value`; may be repeated.' }),
        client: z
          .string()
          .refine((text) => normalizeIp(text) !== null, 'must be an IP address')
          .default('127.0.0.1')
          .meta({ description: "The client's address. Default: `127.0.0.1`." }),
      },
      answers: {
        200: { description: 'The explanation; `route` is null where none matches.', schema: explanationSchema },
      },
      refusals: ['draining'],
      example: { path: '/explain?method=GET&url=/users/42&header=Accept:%20text/plain', status: 200 },
      async answer(source, { query, refuse }) {
        const { method, url, header, client } = query;
        const explanation = await source.explain({ method, url, headers: header, clientAddress: client });
        return explanation === null ? refuse('draining', 'No configuration runs.') : json(200, explanation);
      },
    }),
  ],
};
