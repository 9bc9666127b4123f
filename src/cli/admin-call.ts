/** One call of the admin API, for commands: its JSON, or an error that says what the gateway made of it. */
import { OperatorError } from '../base/errors.ts';
import { type Finding, textOfFindings } from '../config/finding.ts';
import { type AdminAnswer, type AdminClient, refusalOf } from './admin-client.ts';

/** What is sent as a body. */
export interface Payload {
  readonly mediaType: string;
  readonly text: string;
}

export interface CallOptions {
  readonly payload?: Payload;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Throws `OperatorError` for every answer that is no success, with its findings, if there are any, a line each. */
export async function call(
  client: AdminClient,
  method: string,
  path: string,
  { payload, headers = {} }: CallOptions = {},
): Promise<AdminAnswer> {
  const type: Record<string, string> = payload === undefined ? {} : { 'content-type': payload.mediaType };
  const answer = await client.ask(method, path, {
    headers: { ...type, ...headers },
    ...(payload === undefined ? {} : { body: payload.text }),
  });
  if (answer.status < 300) return answer;
  throw new OperatorError(`${refusalOf(answer)}\n${textOfFindings(findingsOf(answer))}`.trimEnd());
}

export async function callJson<T>(
  client: AdminClient,
  method: string,
  path: string,
  options?: CallOptions,
): Promise<T> {
  return JSON.parse((await call(client, method, path, options)).body) as T;
}

function findingsOf({ headers, body }: AdminAnswer): readonly Finding[] {
  if (headers['content-type'] !== 'application/problem+json') return [];
  return (JSON.parse(body) as { findings?: Finding[] }).findings ?? [];
}
