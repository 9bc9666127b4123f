/** How commands find and read the config file. */
import { basename, resolve } from 'node:path';
import { OperatorError } from '../base/errors.ts';
import { findConfigFile } from '../config/find-file.ts';
import { type LoadResult, loadConfig } from '../config/load.ts';
import { builtInSchemas } from '../gateway/built-in-policies.ts';
import type { CommandIo, CommandOption, ParsedArgs } from './command.ts';

export const CONFIG_OPTION: CommandOption = {
  name: 'config',
  short: 'c',
  value: 'FILE',
  help: 'the configuration; default: portico.yaml, .yml, .json or portico.config.ts in the working directory',
};

export const policySchemas = builtInSchemas;

/** The file that `-c` names or that stands in the working directory; throws OperatorError when there is none. */
export function configFile(args: ParsedArgs, io: CommandIo): string {
  const named = args.text('config');
  if (named !== undefined) return named;
  const found = findConfigFile(io.cwd);
  if (found === null) {
    throw new OperatorError(
      'no configuration: give one with -c FILE, or put portico.yaml here ("portico init" writes one to start from)',
    );
  }
  return basename(found);
}

/** Loads the file, which may be relative to the working directory; findings carry the name that was given. */
export function readConfig(file: string, io: CommandIo): Promise<LoadResult> {
  return loadConfig(resolve(io.cwd, file), { name: file, policies: policySchemas, env: io.env });
}
