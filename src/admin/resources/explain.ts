/** Why a request goes where it goes, by the configuration that runs. */
import { z } from 'zod';
import { normalizeIp } from '../../base/ip.ts';
import { isToken } from '../../base/token.ts';
import { parseServerName } from '../../gateway/explain-connection.ts';
import type { Explanation } from '../../gateway/explanation.ts';
import { jsonInPieces } from '../reply.ts';
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
  connection: z
    .object({
      listener: z.string(),
      protocol: z.enum(['TCP', 'TLS']),
      sni: z.string().meta({ description: 'Empty where the client names none.' }),
      proxyProtocol: z
        .enum(['v1', 'v2'])
        .optional()
        .meta({ description: 'In which version the endpoint is told who the client is; absent where it is not.' }),
      error: z
        .enum(['route_not_found', 'route_quarantined', 'no_healthy_endpoint'])
        .nullable()
        .meta({ description: 'Why it is reset, as the access log has it; null where it is relayed.' }),
    })
    .optional()
    .meta({ description: 'Where a connection was asked about, in place of `request` and `answer`.' }),
  quarantined: z.string().optional().meta({ description: 'Why the route is quarantined; absent where it serves.' }),
}) satisfies z.ZodType<Explanation>;

/** One line of a head: what would begin another one, or cannot be a byte of one, is no part of it. */
const ONE_LINE = /^[\t\x20-\x7e\x80-\xff]*$/;

const headerLine = z
  .string()
  .refine(
    (line) => ONE_LINE.test(line) && isToken(line.split(':', 1)[0]) && line.includes(':'),
    'must be `name: value`',
  );

interface Asked {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly header: readonly string[];
  readonly listener?: string | undefined;
  readonly sni?: string | undefined;
}

/** Parameters of a request beside those of a connection; null where they are of one. */
function contradictionOf({ method, url, header, listener, sni }: Asked): string | null {
  const own = listener !== undefined ? 'listener' : sni !== undefined ? 'sni' : null;
  if (own === null) return url === undefined ? 'url: must be given, or `listener` or `sni` of a connection' : null;
  const other = url !== undefined ? 'url' : method !== undefined ? 'method' : header.length > 0 ? 'header' : null;
  return other === null ? null : `${other}: is of a request, and \`${own}\` of a connection`;
}

export const explain: AdminResource = {
  name: 'Explain',
  summary: 'Why a request goes where it goes, by the configuration that runs.',
  routes: [
    adminRoute({
      method: 'GET',
      path: '/explain',
      id: 'explainRequest',
      summary:
        'Tells which route, policies and endpoint decide a request or a relayed connection, and why the others do not: what `portico explain --json` tells.',
      description:
        'Nothing is sent, and health, limits and turns of the running gateway play no part. `url` asks about a request, with `method` ' +
        'and `header`; `listener` and `sni` ask about a connection whose bytes are only relayed.',
      query: {
        method: z.string().refine(isToken, 'must be a method').optional().meta({ description: 'Default: `GET`.' }),
        url: z
          .string()
          .max(32 * 1024)
          .regex(
            /^(\/|(https?|wss?):\/\/[^/?#])[\x21-\x7e\x80-\xff]*$/i,
            'must be an absolute URL or a path, percent-encoded',
          )
          .optional()
          .meta({
            description:
              'Absolute, or a path for which the host is `localhost`; `ws://` and `wss://` add the handshake of a WebSocket. Needed to ask about a request.',
          }),
        header: z
          .array(headerLine)
          .max(100)
          .default([])
          .meta({ description: 'A header of the request, `Name: value`; may be repeated.' }),
        listener: z.string().min(1, 'must be the name of a listener').optional().meta({
          description:
            'The listener, of mode `tcp` or `tls-passthrough`, at which a connection comes in. Default: the only one of mode `tls-passthrough`.',
        }),
        sni: z
          .string()
          .refine((text) => parseServerName(text) !== null, 'must be a server name, those beyond ASCII in punycode')
          .optional()
          .meta({ description: 'The server name that the client of a connection asks for.' }),
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
        const fault = contradictionOf(query);
        if (fault !== null) return refuse('bad_request', `Bad query: ${fault}.`);
        const { method = 'GET', url, header, client, listener, sni } = query;
        const explanation =
          url === undefined
            ? await source.explainConnection({ listener, sni: sni?.toLowerCase(), clientAddress: client })
            : await source.explain({ method, url, headers: header, clientAddress: client });
        if (explanation === null) return refuse('draining', 'No configuration runs.');
        if ('fault' in explanation)
          return refuse('bad_request', `Bad query: ${explanation.part}: ${explanation.fault}.`);
        return jsonInPieces(200, explanation);
      },
    }),
  ],
};
