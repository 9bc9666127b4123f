/** `portico plan`: what differs between two configurations, and what becomes of requests. */
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import type { GatewayConfig } from '../config/model.ts';
import { type Change, type ChangeSummary, summaryOf } from '../config/plan/change.ts';
import { withoutSecrets } from '../config/plan/written-value.ts';
import { planGateway } from '../router/plan-reach.ts';
import { callJson } from './admin-call.ts';
import { adminClient } from './admin-client.ts';
import { type Command, type CommandIo, type ParsedArgs, parseCommandArgs, UsageError } from './command.ts';
import { payloadOf } from './config.ts';
import { readConfig } from './config-file.ts';
import { textOfChanges } from './plan-text.ts';

export const planCommand: Command = {
  name: 'plan',
  summary:
    'Tells what differs between two configurations, and what that means for requests. Exit status 2: they differ.',
  details:
    'Exit status 0 when nothing differs, 1 for an error; a line that was not understood is 1 here too. Files may be of any format. A file with errors is not compared: its findings go to stderr.',
  usage: 'OLD NEW | NEW --admin URL [--json]',
  options: [
    { name: 'admin', value: 'URL', help: 'compare with what the gateway of this admin listener runs' },
    { name: 'json', help: 'the changes as one JSON object' },
  ],
  positionals: 2,
  usageStatus: 1,
  async run(args, io) {
    const parsed = parseCommandArgs(planCommand, args);
    const [before, after] = parsed.positionals;
    const isRunning = parsed.text('admin') !== undefined;
    if (before === undefined || (after === undefined) !== isRunning) {
      throw new UsageError(`usage: portico plan ${planCommand.usage}`, planCommand);
    }
    const { changes, summary } = isRunning
      ? await planRunning(before, parsed, io)
      : await planFiles(before, after as string, io);
    io.out(parsed.flag('json') ? `${JSON.stringify({ changes, summary })}\n` : textOfChanges(changes));
    return changes.length === 0 ? 0 : 2;
  },
};

interface Planned {
  readonly changes: readonly Change[];
  readonly summary: ChangeSummary;
}

async function planFiles(before: string, after: string, io: CommandIo): Promise<Planned> {
  const [one, other] = soundOf([await readSide(before, io), await readSide(after, io)]);
  const changes = withoutSecrets(planGateway(one.config, other.config), new Set([...one.secrets, ...other.secrets]));
  return { changes, summary: summaryOf(changes) };
}

/** The gateway itself compares: it knows what it runs, with its environment and its files. */
async function planRunning(file: string, parsed: ParsedArgs, io: CommandIo): Promise<Planned> {
  const client = await adminClient(planCommand, parsed, io, '60s');
  return callJson<Planned>(client, 'PUT', '/config?dryRun=true', { payload: await payloadOf(file, io) });
}

/** One of the two configurations, wherever it comes from. */
interface Side {
  readonly config: GatewayConfig | null;
  /** What is wrong with it, for people; empty when it is sound. */
  readonly errors: string;
  readonly secrets: ReadonlySet<string>;
}

async function readSide(file: string, io: CommandIo): Promise<Side> {
  const { config, findings, secrets } = await readConfig(file, io);
  return { config, errors: config === null ? textOfFindings(findings) : '', secrets };
}

type SoundSide = Side & { readonly config: GatewayConfig };

/** The sides, when all can be compared; throws OperatorError with what is wrong with each other one. */
function soundOf(sides: readonly Side[]): SoundSide[] {
  const sound = sides.filter((side): side is SoundSide => side.config !== null);
  if (sound.length === sides.length) return sound;
  throw new OperatorError(`there is nothing to compare: errors\n${sides.map(({ errors }) => errors).join('')}`);
}
