/** What policies cost: plain requests beside the same gateway with a verified token, a limit, CORS and security headers. */
import { createHmac } from 'node:crypto';
import type { Bench } from '../bench.ts';
import { alternate } from '../measure/round.ts';
import { type Subject, startSubjects, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Load, loadCommand } from '../measure/wrk.ts';
import { startOrigin } from '../origin/origin.ts';
import type { Peer } from '../peers/peer.ts';
import { createPorticoWith, portico } from '../peers/portico.ts';
import { type Result, recordSubject } from '../report.ts';
import { costTable } from './cost-table.ts';
import { remarksOn, roundsByName, type Scenario } from './scenario.ts';

const SECRET = 'for-measuring-only-0123456789abcdef';
const PAGE = 'https://app.example.com';

const JWT = `{ jwt: { issuer: bench, audience: api, secret: ${SECRET} } }`;
const LIMIT = '{ rateLimit: { algorithm: token-bucket, limit: 1000000000, per: 1s, key: identity } }';
const LIMIT_BY_ADDRESS = LIMIT.replace('key: identity', 'key: ip');
const CORS = `{ cors: { origins: ["${PAGE}"], credentials: true } }`;
const HEADERS = '{ securityHeaders: {} }';

/** Each alone, and all together, which is what the goal is about. */
const VARIANTS: readonly (readonly [name: string, policies: string])[] = [
  ['jwt', `[${JWT}]`],
  ['rateLimit', `[${LIMIT_BY_ADDRESS}]`],
  ['cors+headers', `[${CORS}, ${HEADERS}]`],
  ['all policies', `[${JWT}, ${LIMIT}, ${CORS}, ${HEADERS}]`],
];

/** A token that holds longer than any run (RFC 7515 section 3.1). */
function token(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'bench', aud: 'api', sub: 'ann', roles: ['a'], exp })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

function scriptFor(name: string, bearer: string): string {
  const fields: string[] = [];
  if (name === 'jwt' || name === 'all policies') fields.push(`wrk.headers["Authorization"] = "Bearer ${bearer}"`);
  if (name === 'cors+headers' || name === 'all policies') fields.push(`wrk.headers["Origin"] = "${PAGE}"`);
  return fields.join('\n');
}

async function run(bench: Bench): Promise<Result> {
  const origin = await startOrigin(bench);
  const peers: Peer[] = [portico, ...VARIANTS.map(([name, policies]) => createPorticoWith(name, policies))];
  const { subjects, notes } = await startSubjects(bench, peers, { originPort: origin.port });
  const bearer = token();
  const loadOf = (subject: Subject): Load => ({
    url: urlOf(subject, '/users/42'),
    connections: 64,
    seconds: bench.settings.seconds,
    script: scriptFor(subject.peer.name, bearer),
  });
  const rounds = await alternate(bench, subjects, loadOf);
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  return {
    scenario: 'policies',
    description:
      'GET of 105 bytes of JSON, HTTP/1.1 keep-alive, 64 connections: without policies, with each, and with all. The token is the same in all requests, so it is verified once.',
    table: costTable(rounds, 'request', 'req/s', portico.name),
    loads: subjects.map((subject) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(subject)).join(' ')}`),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      'CPU is user and system time of the proxy, divided by the requests that the client counted; metrics and the JSON access log are on in all rows.',
      'Requests carry what the policies look at: `Authorization` for the token, `Origin` for CORS. Their bytes are part of the figure.',
      ...remarksOn(rounds),
      ...notes,
    ],
    data: { rounds: roundsByName(rounds) },
  };
}

export const policies: Scenario = {
  name: 'policies',
  summary: 'the plain request with a token, a limit, CORS and security headers against the same without',
  run,
};
