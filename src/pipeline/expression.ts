/** Operators' expressions in CEL over a request and who calls: compiled and type-checked at load, bounded when they run. */
import type { Clock } from '../base/clock.ts';
import { PatternError, parsePattern } from '../base/pattern.ts';
import { engine, OURS } from './expression-engine.ts';
import type { ExpressionSubject } from './expression-values.ts';

/** What an expression is for: true or false, text that tells requests apart, or a number. */
export type ExpressionUse = 'condition' | 'key' | 'number';

/** Types that may turn out right, by what an expression is for; what claims hold is only known when it runs (`dyn`). */
const TYPES: Readonly<Record<ExpressionUse, readonly string[]>> = {
  condition: ['bool', 'dyn'],
  key: ['string', 'int', 'uint', 'double', 'bool', 'dyn'],
  number: ['int', 'uint', 'double', 'dyn'],
};

const WANTED: Readonly<Record<ExpressionUse, string>> = {
  condition: 'true or false',
  key: 'a text, a number or true or false',
  number: 'a number',
};

/** Longest expression taken, in characters. */
const MAX_SOURCE = 4096;

/**
 * Deepest nesting of `exists`, `all`, `map`, ... in one another: each multiplies the steps by the length of a list that a
 * client may have written.
 */
const MAX_NESTING = 2;

/** What walks a list. */
const WALKS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** An expression that cannot be used, with the reason for people. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  /** Where in the text, from 0; -1 where it is about the whole. */
  readonly offset: number;

  constructor(message: string, offset = -1) {
    super(offset < 0 ? message : `${message} (at character ${offset + 1})`);
    this.offset = offset;
  }
}

/** What came of an evaluation that has no value: something that is not there, or is of another type. */
export class ExpressionFailure {
  /** For logs: what failed and where; holds nothing that a client sent. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A compiled expression. Evaluations never throw, whatever a client sends. */
export interface CompiledExpression {
  readonly source: string;
  /** True where it names `identity`. */
  readonly readsIdentity: boolean;
  /** The value, or an ExpressionFailure. */
  evaluate(exchange: ExpressionSubject, clock: Clock): unknown;
  /** True only for `true`: an evaluation that fails is none. */
  isTrue(exchange: ExpressionSubject, clock: Clock): boolean;
  /** The value as text; null where it failed or is a list, a map or `null`. */
  text(exchange: ExpressionSubject, clock: Clock): string | null;
  /** The value as a finite number; null otherwise. */
  number(exchange: ExpressionSubject, clock: Clock): number | null;
}

/** Compiles an expression; throws ExpressionError where it is malformed, or cannot give what it is for. */
export function compileExpression(source: string, use: ExpressionUse = 'condition'): CompiledExpression {
  if (source.length > MAX_SOURCE) throw new ExpressionError(`it is longer than ${MAX_SOURCE} characters`);
  const { environment, run } = engine();
  let parsed: ReturnType<typeof environment.parse>;
  try {
    parsed = environment.parse(source);
  } catch (error) {
    throw expressionError(error);
  }
  const seen: Seen = { identity: false };
  guard(parsed.ast as unknown as Node, 0, seen);
  const checked = parsed.check();
  if (!checked.valid) throw expressionError(checked.error);
  if (!TYPES[use].includes(checked.type ?? '')) {
    throw new ExpressionError(`it gives ${checked.type}, where ${WANTED[use]} is needed`);
  }
  const evaluate = (exchange: ExpressionSubject, clock: Clock): unknown => {
    try {
      return run(parsed, exchange, clock);
    } catch (error) {
      return new ExpressionFailure(reasonOf(error));
    }
  };
  return {
    source,
    readsIdentity: seen.identity,
    evaluate,
    isTrue: (exchange, clock) => evaluate(exchange, clock) === true,
    text: (exchange, clock) => textOf(evaluate(exchange, clock)),
    number: (exchange, clock) => numberOf(evaluate(exchange, clock)),
  };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : null;
}

function numberOf(value: unknown): number | null {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

/** What is read of the library's syntax tree. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
}

/** What is learned of an expression on the way. */
interface Seen {
  identity: boolean;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

/**
 * Refuses what could take long, and puts functions of ours in the place of those that could: before the types are checked,
 * since that binds them. What macros expand to holds the same nodes.
 */
function guard(value: unknown, nesting: number, seen: Seen): void {
  if (Array.isArray(value)) {
    for (const item of value) guard(item, nesting, seen);
    return;
  }
  if (!isNode(value)) return;
  if (value.op === 'id' && value.args === 'identity') seen.identity = true;
  if (value.op !== 'rcall') {
    guard(value.args, nesting, seen);
    return;
  }
  const call = value.args as [name: string, receiver: Node, args: Node[]];
  const [name, receiver, args] = call;
  if (name.startsWith(OURS)) throw new ExpressionError(`there is no function ${name}`, value.start);
  const inside = WALKS.has(name) ? nesting + 1 : nesting;
  if (inside > MAX_NESTING) {
    throw new ExpressionError(`lists are walked more than ${MAX_NESTING} deep in one another`, value.start);
  }
  guard(receiver, nesting, seen);
  guard(args, inside, seen);
  if (name === 'matches') checkPattern(args, value.start);
  if (name === 'matches' || name === 'split') call[0] = `${OURS}${name}`;
}

/** A pattern is the operator's, and compiled before any request: never what a client sent. */
function checkPattern([pattern]: readonly Node[], offset: number): void {
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') {
    throw new ExpressionError('the pattern of matches must be written as a text', offset);
  }
  try {
    parsePattern(pattern.args);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new ExpressionError(error.message.replace(/^error parsing regexp: /, 'not a regular expression, '), offset);
  }
}

/** What is read of the library's errors. */
interface EngineError {
  readonly code?: unknown;
  readonly summary?: unknown;
  readonly range?: { readonly start: number };
}

function expressionError(error: unknown): ExpressionError {
  const { summary, range } = error as EngineError;
  if (typeof summary !== 'string') throw error;
  return new ExpressionError(lowerFirst(summary.replaceAll(OURS, '')), range?.start);
}

/** The library's words may hold what a client sent: its code is enough. */
function reasonOf(error: unknown): string {
  const { code, range } = error as EngineError;
  const what = typeof code === 'string' ? code : 'failed';
  return range === undefined ? what : `${what} at character ${range.start + 1}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
