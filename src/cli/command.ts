/** What every command is made of, and the way each reads its arguments. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { OperatorError } from '../base/errors.ts';
import { didYouMean, nearest } from '../base/nearest.ts';

export interface CommandIo {
  out(text: string): void;
  error(text: string): void;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The standard input; that of the process where none is given. */
  readonly input?: NodeJS.ReadableStream;
}

/** A command line that was not understood: exit status 2, unless the command says otherwise, where other errors are 1. */
export class UsageError extends OperatorError {
  constructor(message: string, command: Command) {
    super(`${message}\nSee: portico ${command.name} --help`);
  }
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What else its page says. */
  readonly details?: string;
  /** The arguments as they are typed, after the name. */
  readonly usage: string;
  /** Every option, with a line for people. */
  readonly options: readonly CommandOption[];
  /** Most arguments that are no options; none when absent. */
  readonly positionals?: number;
  /** Exit status for a line that was not understood; for commands to which 2 means something else. */
  readonly usageStatus?: number;
  /** Answers the exit status. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

export interface CommandOption {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** What the value is called; a flag when absent. */
  readonly value?: string;
  readonly repeated?: boolean;
  readonly help: string;
}

export interface ParsedArgs {
  /** The value of an option that was given once. */
  text(name: string): string | undefined;
  flag(name: string): boolean;
  /** All values of a repeated option. */
  list(name: string): string[];
  readonly positionals: readonly string[];
}

/** Reads the arguments of a command; throws UsageError, naming what is wrong, on a line that it does not understand. */
export function parseCommandArgs(command: Command, args: readonly string[]): ParsedArgs {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const option of command.options) {
    options[option.name] = {
      type: option.value === undefined ? 'boolean' : 'string',
      ...(option.short === undefined ? {} : { short: option.short }),
      ...(option.repeated === true ? { multiple: true } : {}),
    };
  }
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new UsageError(message, command);
    throw new UsageError(unknownOption(command, options, args), command);
  }
  const extra = parsed.positionals[command.positionals ?? 0];
  if (extra !== undefined) throw new UsageError(`${command.name} does not know what to do with "${extra}"`, command);
  const { values } = parsed;
  return {
    text: (name) => values[name] as string | undefined,
    flag: (name) => values[name] === true,
    list: (name) => (values[name] as string[] | undefined) ?? [],
    positionals: parsed.positionals,
  };
}

/** The first option that the command does not have, and the one that was most likely meant. */
function unknownOption(
  command: Command,
  options: NonNullable<ParseArgsConfig['options']>,
  args: readonly string[],
): string {
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true });
  const unknown = tokens.find((token) => token.kind === 'option' && !Object.hasOwn(options, token.name));
  // As it was typed: `-json` is four short options to the parser, and one with a dash too few to people.
  const typed = args[unknown?.index ?? 0].replace(/=.*/s, '');
  const word = typed.replace(/^-+/, '');
  // One letter is near to every other one.
  const near = word.length > 1 ? nearest(word, [...Object.keys(options), 'help']) : undefined;
  return `${command.name} has no option "${typed}"${didYouMean(near && `--${near}`)}`;
}

/** Columns of a help page. */
const WIDTH = 100;

/** Two columns, the second one folded. */
export function columns(rows: readonly (readonly [left: string, right: string])[]): string {
  const indent = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows
    .map(([left, right]) => `${left.padEnd(indent)}${fold(right, WIDTH - indent).join(`\n${' '.repeat(indent)}`)}\n`)
    .join('');
}

function fold(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** The page of `portico COMMAND --help`. */
export function helpOf(command: Command): string {
  const rows = [...command.options, { name: 'help', help: 'this page' } as CommandOption].map((option) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    return [`  ${short}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`, option.help] as const;
  });
  const { name, usage, summary, details } = command;
  const text = fold(details === undefined ? summary : `${summary} ${details}`, WIDTH).join('\n');
  return `portico ${name} ${usage}\n\n${text}\n\n${columns(rows)}`;
}
