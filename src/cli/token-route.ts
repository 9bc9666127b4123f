/** The `jwt` that applies to a route, for commands about tokens. */
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { PolicyUse } from '../config/policy-schemas.ts';
import type { JwtOptions } from '../policies/jwt/schema.ts';
import type { CommandIo, ParsedArgs } from './command.ts';
import { configFile, readConfig } from './config-file.ts';

export interface RouteTokens {
  readonly config: GatewayConfig;
  /** One, or several in `anyOf`. */
  readonly uses: readonly JwtOptions[];
}

/** Null where no route was named. Throws OperatorError where the route, or a `jwt` for it, is not there. */
export async function routeTokens(parsed: ParsedArgs, io: CommandIo): Promise<RouteTokens | null> {
  const name = parsed.text('route');
  if (name === undefined) {
    if (parsed.text('config') === undefined) return null;
    throw new OperatorError('a configuration has many keys: say which with --route NAME');
  }
  const { config, findings } = await readConfig(configFile(parsed, io), io);
  if (config === null) throw new OperatorError(`the file has errors\n${textOfFindings(findings)}`);
  const route = config.routes.find((one) => one.name === name);
  if (route === undefined) throw new OperatorError(`no route has the name "${name}"`);
  const service = config.services.find((one) => one.name === route.service);
  // The narrowest scope that has the policy is the one that applies.
  for (const scope of [route.policies, service?.policies ?? [], config.policies]) {
    const uses = scope.flatMap(tokensIn);
    if (uses.length > 0) return { config, uses };
  }
  throw new OperatorError(`the route "${name}" takes no tokens: no \`jwt\` applies to it`);
}

function tokensIn({ name, options }: PolicyUse): JwtOptions[] {
  if (name === 'jwt') return [options as JwtOptions];
  return name === 'anyOf' ? (options as PolicyUse[]).flatMap(tokensIn) : [];
}

/** A secret that was given, and where; undefined for none. Throws OperatorError for an environment without it. */
export function secretOf(parsed: ParsedArgs, io: CommandIo): string | undefined {
  const name = parsed.text('secret-env');
  if (name === undefined) {
    const text = parsed.text('secret');
    if (text !== undefined)
      io.error('portico: whoever sees the list of processes sees the secret: better --secret-env NAME\n');
    return text;
  }
  const secret = io.env[name];
  if (secret === undefined || secret === '') throw new OperatorError(`the environment has no ${name}`);
  return secret;
}
