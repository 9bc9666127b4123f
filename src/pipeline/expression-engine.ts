/** The CEL library, set up once: what expressions may name, and functions of ours where a client could stretch the time of its own. */
import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import type { Clock } from '../base/clock.ts';
import { type Pattern, parsePattern } from '../base/pattern.ts';
import { type ExpressionSubject, IdentityValue, MAX_ELEMENTS, RequestValue, TooMany } from './expression-values.ts';

/** Prefix of the functions that stand in the place of the library's. */
export const OURS = 'portico_';

export interface Engine {
  readonly environment: Environment;
  /** Evaluates; throws what goes wrong. */
  run(parsed: ParseResult, exchange: ExpressionSubject, clock: Clock): unknown;
}

let made: Engine | undefined;

/** The one engine of the process. */
export function engine(): Engine {
  made ??= createEngine();
  return made;
}

function createEngine(): Engine {
  const environment = createEnvironment();
  // Evaluations are synchronous and never inside one another: one pair of values serves them all.
  const request = new RequestValue();
  const identity = new IdentityValue();
  const variables = { request, identity };
  return {
    environment,
    run(parsed, exchange, clock) {
      request.bind(exchange, clock);
      identity.identity = exchange.identity;
      try {
        return parsed(variables);
      } finally {
        request.bind(null, null);
        identity.identity = null;
      }
    },
  };
}

function createEnvironment(): Environment {
  const patterns = new Map<string, Pattern>();
  const environment = new Environment({
    // Lists that operators write hold what they want; claims do, too.
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 1000, maxDepth: 64, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 8 },
  });
  return environment
    .registerType('Request', { ctor: RequestValue, fields: RequestValue.fields })
    .registerType('Identity', { ctor: IdentityValue, fields: IdentityValue.fields })
    .registerVariable('request', 'Request')
    .registerVariable('identity', 'Identity')
    .registerOperator('Identity == null', (identity: IdentityValue) => identity.identity === null)
    .registerFunction(`string.${OURS}matches(string): bool`, (text: string, source: string) =>
      patternOf(source, patterns).test(text),
    )
    .registerFunction(`string.${OURS}split(string): list<string>`, (text: string, separator: string) =>
      split(text, separator, -1),
    )
    .registerFunction(
      `string.${OURS}split(string, int): list<string>`,
      (text: string, separator: string, most: bigint) => split(text, separator, Number(most)),
    );
}

/** Patterns of all configurations that have been; the oldest go, and are compiled again where they are still asked for. */
const MAX_PATTERNS = 1000;

function patternOf(source: string, patterns: Map<string, Pattern>): Pattern {
  let pattern = patterns.get(source);
  if (pattern !== undefined) return pattern;
  pattern = parsePattern(source);
  if (patterns.size >= MAX_PATTERNS) patterns.delete(patterns.keys().next().value as string);
  patterns.set(source, pattern);
  return pattern;
}

/** As CEL's `split`, of texts that have no more than so many parts: a list that a client writes is walked, perhaps for each item of another. */
function split(text: string, separator: string, most: number): string[] {
  if (most === 0) return [];
  const parts = text.split(separator, MAX_ELEMENTS + 1);
  if (parts.length > MAX_ELEMENTS) throw new TooMany('parts');
  if (most < 0 || parts.length <= most) return parts;
  const kept = parts.slice(0, most - 1);
  kept.push(parts.slice(most - 1).join(separator));
  return kept;
}
