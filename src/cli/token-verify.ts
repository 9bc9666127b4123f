/** Verifies tokens as a gateway does: by the same code, on the options of a route or on those of the command line. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { systemClock, systemTimers } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import type { AccessConfig } from '../config/policy-schemas.ts';
import { KeepAliveHttpClient } from '../net/http-client.ts';
import { type AuthenticationOutcome, isRefusal } from '../pipeline/authentication.ts';
import type { Closeable } from '../pipeline/policy.ts';
import { verifierOf } from '../policies/jwt/index.ts';
import { type JwtOptions, jwtSchema } from '../policies/jwt/schema.ts';
import type { CommandIo, ParsedArgs } from './command.ts';
import { routeTokens, secretOf } from './token-route.ts';

const NOTHING: AccessConfig = { tiers: {}, roles: {}, consumers: [] };

/** Who the token belongs to, or why it is refused. Throws OperatorError where it is not said by what it is to be verified. */
export async function verifyToken(token: string, parsed: ParsedArgs, io: CommandIo): Promise<AuthenticationOutcome> {
  const route = await routeTokens(parsed, io);
  const uses = route?.uses ?? [givenOptions(parsed, io)];
  const made: Closeable[] = [];
  const http = new KeepAliveHttpClient();
  made.push(http);
  const services = {
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    http,
    config: route?.config ?? NOTHING,
    share<T extends Closeable>(_: string, create: () => T): T {
      const object = create();
      made.push(object);
      return object;
    },
  };
  try {
    let outcome: AuthenticationOutcome = { reason: 'no `jwt` applies' };
    for (const options of uses) {
      outcome = await verifierOf(options, services).verify(token);
      if (!isRefusal(outcome)) break;
    }
    return outcome;
  } finally {
    for (const one of made) one.close?.();
  }
}

function givenOptions(parsed: ParsedArgs, io: CommandIo): JwtOptions {
  const secret = secretOf(parsed, io);
  const file = parsed.text('key');
  const url = parsed.text('jwks');
  if (secret === undefined && file === undefined && url === undefined) {
    throw new OperatorError('nothing to verify by: give --route NAME, --secret-env NAME, --key FILE or --jwks URL');
  }
  const algorithm = parsed.text('alg');
  const audience = parsed.list('audience');
  const outcome = jwtSchema.safeParse({
    ...(secret === undefined ? {} : { secret }),
    ...(file === undefined ? {} : publicKeysIn(file, io)),
    ...(url === undefined ? {} : { jwks: { url } }),
    ...(parsed.text('issuer') === undefined ? {} : { issuer: parsed.text('issuer') }),
    ...(audience.length === 0 ? {} : { audience }),
    ...(algorithm === undefined ? {} : { algorithms: [algorithm] }),
  });
  if (outcome.success) return outcome.data;
  const [{ path, message }] = outcome.error.issues;
  throw new OperatorError(`${OPTION_OF[String(path[0])] ?? 'this'} ${message}`);
}

/** What people typed for an option of the policy. */
const OPTION_OF: Readonly<Record<string, string>> = {
  secret: 'the secret',
  publicKey: 'the file of --key',
  keys: 'the file of --key',
  jwks: '--jwks',
  algorithms: '--alg',
};

function publicKeysIn(file: string, io: CommandIo): { publicKey: string } | { keys: unknown } {
  let text: string;
  try {
    text = readFileSync(resolve(io.cwd, file), 'utf8');
  } catch (error) {
    throw new OperatorError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (!text.trimStart().startsWith('{')) return { publicKey: text };
  try {
    const value = JSON.parse(text) as { keys?: unknown };
    return { keys: value.keys ?? [value] };
  } catch {
    throw new OperatorError(`${file} is not JSON`);
  }
}
