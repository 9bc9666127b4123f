/** `portico token`: makes tokens for trying, verifies them as a gateway would, and shows what stands in one. */
import { decodeJwt, decodeProtectedHeader, errors } from 'jose';
import { OperatorError } from '../base/errors.ts';
import { isRefusal } from '../pipeline/authentication.ts';
import { type Command, type CommandIo, type ParsedArgs, parseCommandArgs, UsageError } from './command.ts';
import { CONFIG_OPTION } from './config-file.ts';
import { signToken } from './token-sign.ts';
import { verifyToken } from './token-verify.ts';

export const tokenCommand: Command = {
  name: 'token',
  summary:
    'Signs a token for trying, verifies one, or shows what stands in one. Exit status 1: the token is refused, or there is no key.',
  details:
    '`sign` prints a token; with `--route` it has the key, issuer, audience and claims that the `jwt` of the route asks for. `verify` does what a gateway would do with it, by the `jwt` of a route or by a key. `inspect` verifies nothing. `-` for TOKEN reads it from the standard input.',
  usage: '(sign | verify TOKEN | inspect TOKEN) [--route NAME [-c FILE]] [--secret-env NAME | --key FILE] [--json]',
  options: [
    { name: 'route', value: 'NAME', help: 'take keys and claims from the `jwt` that applies to this route' },
    CONFIG_OPTION,
    { name: 'secret-env', value: 'NAME', help: 'the shared secret is in this environment variable' },
    {
      name: 'secret',
      value: 'TEXT',
      help: 'the shared secret itself, for trying: others may see it in the list of processes',
    },
    {
      name: 'key',
      value: 'FILE',
      help: 'a key in PEM or as a JSON Web Key: the private one to sign, the public one (or a set of them) to verify',
    },
    { name: 'jwks', value: 'URL', help: 'verify by the set of keys at this address' },
    { name: 'alg', value: 'NAME', help: 'the algorithm; default: the first that the key is for' },
    { name: 'kid', value: 'ID', help: 'sign: the name of the key, for the header' },
    { name: 'issuer', value: 'TEXT', help: 'what `iss` is, or must be' },
    { name: 'audience', value: 'TEXT', repeated: true, help: 'what `aud` is, or must hold one of' },
    { name: 'subject', value: 'TEXT', help: 'sign: who it is for, as `sub`' },
    {
      name: 'claim',
      value: 'NAME=VALUE',
      repeated: true,
      help: 'sign: another claim; numbers, true, false, lists and maps are written as in JSON',
    },
    { name: 'expires-in', value: 'DURATION', help: 'sign: how long it holds; default 1h' },
    { name: 'json', help: 'the outcome as one JSON object' },
  ],
  positionals: 2,
  async run(args, io) {
    const parsed = parseCommandArgs(tokenCommand, args);
    const [action, given] = parsed.positionals;
    if (action === 'sign' && given === undefined) return sign(parsed, io);
    if ((action === 'verify' || action === 'inspect') && given !== undefined) {
      const token = (given === '-' ? await standardInput() : given).trim().replace(/^Bearer +/i, '');
      return action === 'verify' ? verify(token, parsed, io) : inspect(token, parsed, io);
    }
    throw new UsageError(`usage: portico token ${tokenCommand.usage}`, tokenCommand);
  },
};

async function sign(parsed: ParsedArgs, io: CommandIo): Promise<number> {
  const token = await signToken(parsed, io);
  io.out(parsed.flag('json') ? `${JSON.stringify({ token })}\n` : `${token}\n`);
  return 0;
}

async function verify(token: string, parsed: ParsedArgs, io: CommandIo): Promise<number> {
  const outcome = await verifyToken(token, parsed, io);
  if (isRefusal(outcome)) {
    if (parsed.flag('json')) io.out(`${JSON.stringify({ valid: false, reason: outcome.reason })}\n`);
    else io.error(`portico: refused: ${outcome.reason}\n`);
    return 1;
  }
  const { subject, roles, scopes, consumer, tier, claims } = outcome;
  if (parsed.flag('json'))
    io.out(`${JSON.stringify({ valid: true, subject, roles, scopes, consumer, tier, claims })}\n`);
  else {
    const rows = { subject, roles: roles.join(' '), scopes: scopes.join(' '), consumer, tier, ...timesOf(claims) };
    io.out(`valid\n${linesOf(rows)}claims    ${JSON.stringify(claims)}\n`);
  }
  return 0;
}

function inspect(token: string, parsed: ParsedArgs, io: CommandIo): number {
  let header: object;
  let claims: Readonly<Record<string, unknown>>;
  try {
    header = decodeProtectedHeader(token);
    claims = decodeJwt(token);
  } catch (error) {
    if (!(error instanceof errors.JOSEError || error instanceof TypeError)) throw error;
    throw new OperatorError(`this is no token: ${error.message}`);
  }
  if (parsed.flag('json')) io.out(`${JSON.stringify({ verified: false, header, claims })}\n`);
  else {
    const rows = { header: JSON.stringify(header), claims: JSON.stringify(claims), ...timesOf(claims) };
    io.out(`${linesOf(rows)}not verified: anybody could have written this\n`);
  }
  return 0;
}

/** Times that people can read. */
function timesOf(claims: Readonly<Record<string, unknown>>): Record<string, string | null> {
  const at = (value: unknown): string | null => {
    const date = new Date(typeof value === 'number' ? value * 1000 : Number.NaN);
    return Number.isNaN(date.getTime()) ? null : date.toISOString();
  };
  return { made: at(claims.iat), begins: at(claims.nbf), ends: at(claims.exp) };
}

function linesOf(rows: Readonly<Record<string, string | null>>): string {
  return Object.entries(rows)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.padEnd(10)}${value}\n`)
    .join('');
}

async function standardInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MOST_INPUT) throw new OperatorError('the standard input is too long for a token');
  }
  return text;
}

const MOST_INPUT = 1024 * 1024;
