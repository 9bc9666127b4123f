/** Writes the reference of the admin API from its table of routes, so that the two cannot differ. */
import { ERRORS } from '../base/errors.ts';
import { fieldsOf, type JsonSchema, jsonSchemaOf, typeOf } from './json-schema.ts';
import type { AdminResource, AdminRoute, Parameters } from './route.ts';
import { refusalsOf } from './route-refusals.ts';

/** Where examples find the listener: the address that the configuration reference gives as its default. */
export const EXAMPLE_BASE = 'http://127.0.0.1:9901';

/** Refusals of every route, which are told of once. */
const EVERYWHERE = [
  'bad_request',
  'unauthenticated',
  'forbidden',
  'misdirected_request',
  'rate_limited',
  'internal_error',
];

const INTRODUCTION = `# Admin API

<!-- Made from the table of routes by src/admin/reference.ts; a test holds it to the code. UPDATE_DOCS=1 npm test writes it anew. -->

What operators see of a running gateway, and how they change it. The listener stands where \`admin.address\` says, by default on
loopback only. The same as OpenAPI 3.1 is at \`/openapi.json\`. A test runs the examples on this page against a gateway.

**Token.** Where \`admin.token\` is set, and it must be unless the listener is on loopback, every route but the open ones asks for
\`Authorization: Bearer TOKEN\`: 401 \`unauthenticated\` without it. An address that sends ten wrong ones may send one more a
second: 429 \`rate_limited\`.

**Web pages.** A browser must not reach this listener on behalf of somebody else's page. A request with the \`Origin\` of another
page is 403 \`forbidden\`; one that names a host other than the listener's is 421 \`misdirected_request\`; bodies are JSON or YAML
by their \`Content-Type\`, which no form can send: else 415 \`unsupported_media_type\`.

**Requests.** \`HEAD\` is served wherever \`GET\` is. Names in paths are percent-encoded. A parameter that is malformed, is unknown
to a route, or stands twice is 400 \`bad_request\`, as is a body where none is taken; only a \`GET\` that takes no parameters
ignores what it is given. A body that is longer than its route takes is 413 \`payload_too_large\`.

**Answers** are JSON unless the route says otherwise, and never to be cached. Refusals are problem documents with the codes of the
[error reference](errors.md).
`;

export function renderAdminReference(resources: readonly AdminResource[]): string {
  return `${[INTRODUCTION, ...resources.map(renderResource), renderShapes(resources)].join('\n').trimEnd()}\n`;
}

/** What has a name of its own and stands in several answers. */
function renderShapes(resources: readonly AdminResource[]): string {
  const shapes = new Map<string, JsonSchema>();
  for (const { answers, body } of resources.flatMap(({ routes }) => routes)) {
    for (const schema of [body?.schema, ...Object.values(answers).map((answer) => answer.schema)]) {
      const { $defs = {} } = schema === undefined || schema === null ? {} : jsonSchemaOf(schema);
      for (const [name, shape] of Object.entries($defs as Record<string, JsonSchema>)) shapes.set(name, shape);
    }
  }
  const sections = [...shapes].sort().map(([name, shape]) => {
    const rows = fieldsOf(shape).map(({ path, type, required, description }) => {
      return row([`\`${path}\``, required ? type : `${type}, not always`, description]);
    });
    return `### ${name}\n\n${shape.description ?? ''}\n\n${table(['member', 'type', 'meaning'], rows)}\n`;
  });
  return ['## Shapes', '\nWhat stands in several answers.\n', ...sections].join('\n');
}

function renderResource({ name, summary, routes }: AdminResource): string {
  return [`## ${name}`, `\n${summary}\n`, ...routes.map(renderRoute)].join('\n');
}

function renderRoute(route: AdminRoute): string {
  const { method, path, summary, description, open, params, query, headers = {}, body } = route;
  const openness = open === true ? ' Asks for no token.' : '';
  const parts = [`### \`${method} ${path}\``, `${summary}${openness}`];
  if (description !== undefined) parts.push(description);
  const parameters = [
    ...parameterRows('path', params ?? {}),
    ...parameterRows('query', query ?? {}),
    ...Object.entries(headers).map(([name, meaning]) => row([`\`${name}\``, 'header', 'string', meaning])),
  ];
  if (parameters.length > 0) parts.push(table(['parameter', 'in', 'type', 'meaning'], parameters));
  if (body !== undefined) {
    const types = body.mediaTypes.map((type) => `\`${type}\``).join(', ');
    const optional = body.required ? '' : ' It may be left out.';
    parts.push(`Body: ${types}, at most ${sizeText(body.limit)}.${optional}`);
    if (body.schema !== null) parts.push(...fieldTable(body.schema, true));
  }
  parts.push(...renderAnswers(route), renderExample(route));
  return `${parts.join('\n\n')}\n`;
}

function parameterRows(place: string, parameters: Parameters): string[] {
  return Object.entries(parameters).map(([name, schema]) => {
    const json = jsonSchemaOf(schema);
    const needed = place === 'query' && !schema.safeParse(undefined).success ? ', required' : '';
    return row([`\`${name}\``, `${place}${needed}`, typeOf(json), (json.description as string | undefined) ?? '']);
  });
}

function renderAnswers(route: AdminRoute): string[] {
  const rows: string[] = [];
  const fields: string[] = [];
  for (const [status, { description, schema, mediaType, headers = {} }] of Object.entries(route.answers)) {
    const names = Object.entries(headers).map(([name, meaning]) => `\`${name}\`: ${meaning}`);
    const body = mediaType === undefined ? '' : ` \`${mediaType}\`.`;
    rows.push(row([status, [`${description}${body}`, ...names].join(' ')]));
    if (schema === undefined) continue;
    const [table] = fieldTable(schema, false);
    // A status that answers the same as another one has its members shown once.
    if (table !== undefined && !fields.includes(table)) fields.push(table);
  }
  const own = refusalsOf(route).filter((code) => !EVERYWHERE.includes(code));
  for (const code of own) rows.push(row([String(ERRORS[code].status), `\`${code}\``]));
  return [table(['status', 'answer'], rows), ...fields];
}

function fieldTable(schema: Parameters[string], isBody: boolean): string[] {
  const rows = fieldsOf(jsonSchemaOf(schema)).map(({ path, type, required, description }) => {
    const always = isBody ? (required ? 'required' : '') : required ? '' : 'not always';
    return row([`\`${path}\``, [type, always].filter((text) => text !== '').join(', '), description]);
  });
  return rows.length === 0 ? [] : [table([isBody ? 'key' : 'member', 'type', 'meaning'], rows)];
}

/** As one types it. */
function renderExample({ method, example, body, open }: AdminRoute): string {
  const verb = method === 'GET' ? '' : ` -X ${method}`;
  const lasting = example.lasting === true ? ' --no-buffer' : '';
  const lines = [`curl -sS${lasting}${verb} ${quoted(`${EXAMPLE_BASE}${example.path}`)}`];
  if (open !== true) lines.push('-H "Authorization: Bearer $PORTICO_ADMIN_TOKEN"');
  for (const [name, value] of Object.entries(example.headers ?? {})) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined && example.body !== undefined) {
    lines.push(`-H ${quoted(`Content-Type: ${body.mediaTypes[0]}`)}`, `--data-binary ${quoted(example.body)}`);
  }
  return `\`\`\`sh\n${lines.join(' \\\n  ')}\n\`\`\``;
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w:/.@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function table(head: readonly string[], rows: readonly string[]): string {
  return [row(head), `|${head.map(() => '---').join('|')}|`, ...rows].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`.replace(
    / {2,}\|/g,
    ' |',
  );
}

function sizeText(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`;
}
