/** The command line: finds the command, runs it, and turns what goes wrong into a line and an exit status. */

import { OperatorError } from '../base/errors.ts';
import { didYouMean, nearest } from '../base/nearest.ts';
import { checkCommand } from './check.ts';
import { type Command, type CommandIo, columns, helpOf, UsageError } from './command.ts';
import { configCommand } from './config.ts';
import { demoCommand } from './demo.ts';
import { drainCommand } from './drain.ts';
import { endpointsCommand } from './endpoints.ts';
import { explainCommand } from './explain.ts';
import { hashPasswordCommand } from './hash-password.ts';
import { healthCommand } from './health.ts';
import { initCommand } from './init.ts';
import { keysCommand } from './keys.ts';
import { planCommand } from './plan.ts';
import { reloadCommand } from './reload.ts';
import { routesCommand } from './routes.ts';
import { servicesCommand } from './services.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { upgradeCommand } from './upgrade.ts';
import { versionCommand } from './version.ts';

/** Every command, in the order in which help shows them. */
export const commands: readonly Command[] = [
  startCommand,
  checkCommand,
  explainCommand,
  routesCommand,
  planCommand,
  healthCommand,
  statusCommand,
  servicesCommand,
  endpointsCommand,
  keysCommand,
  configCommand,
  reloadCommand,
  drainCommand,
  upgradeCommand,
  tokenCommand,
  hashPasswordCommand,
  initCommand,
  demoCommand,
  versionCommand,
];

const processIo: CommandIo = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  env: process.env,
  cwd: process.cwd(),
};

function overview(): string {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary] as const);
  return `portico COMMAND [options]\n\n${columns(rows)}\nportico COMMAND --help tells more.\n`;
}

/** Runs one command line; answers the exit status: 0, 1 for what went wrong, 2 for a line that was not understood. */
export async function main(args: readonly string[], io: CommandIo = processIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(overview());
    return name === undefined ? 2 : 0;
  }
  const wanted = name === '--version' || name === '-v' ? 'version' : name;
  const command = commands.find((candidate) => candidate.name === wanted);
  if (command === undefined) {
    const near = nearest(
      name,
      commands.map((candidate) => candidate.name),
    );
    io.error(`portico: there is no command "${name}"${didYouMean(near)}\n${overview()}`);
    return 2;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(helpOf(command));
    return 0;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    io.error(`portico: ${error.message}\n`);
    return error instanceof UsageError ? (command.usageStatus ?? 2) : 1;
  }
}
