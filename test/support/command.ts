/** A command line, run in this process. */
import type { CommandIo } from '../../src/cli/command.ts';
import { main } from '../../src/cli/main.ts';

export interface CommandOutcome {
  /** The exit status. */
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** By default with nothing in its environment, in a place that does not exist. */
export async function runCommand(
  args: readonly string[],
  { env = {}, cwd = '/nowhere', ...rest }: Partial<Pick<CommandIo, 'env' | 'cwd' | 'input'>> = {},
): Promise<CommandOutcome> {
  let out = '';
  let error = '';
  const status = await main(args, {
    out: (text) => void (out += text),
    error: (text) => void (error += text),
    env,
    cwd,
    ...rest,
  });
  return { status, out, error };
}
