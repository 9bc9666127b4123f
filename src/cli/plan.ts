/** `portico plan`: what differs between two configurations, and what becomes of requests. */
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import type { GatewayConfig } from '../config/model.ts';
import { type Change, changeCodes, changeSeverities, summaryOf } from '../config/plan/change.ts';
import { withoutSecrets } from '../config/plan/written-value.ts';
import { planGateway } from '../router/plan-reach.ts';
import { type Command, type CommandIo, parseCommandArgs, UsageError } from './command.ts';
import { readConfig } from './config-file.ts';

export const planCommand: Command = {
  name: 'plan',
  summary:
    'Tells what differs between two configurations, and what that means for requests. Exit status 2: they differ.',
  usage: 'OLD NEW [--json]',
  options: [{ name: 'json', help: 'the changes as one JSON object' }],
  positionals: 2,
  usageStatus: 1,
  async run(args, io) {
    const parsed = parseCommandArgs(planCommand, args);
    const [before, after] = parsed.positionals;
    if (before === undefined || after === undefined) {
      throw new UsageError(`usage: portico plan ${planCommand.usage}`, planCommand);
    }
    const [one, other] = soundOf([await readSide(before, io), await readSide(after, io)]);
    const changes = withoutSecrets(planGateway(one.config, other.config), new Set([...one.secrets, ...other.secrets]));
    const summary = summaryOf(changes);
    io.out(parsed.flag('json') ? `${JSON.stringify({ changes, summary })}\n` : textOf(changes));
    return changes.length === 0 ? 0 : 2;
  },
};

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

function textOf(changes: readonly Change[]): string {
  if (changes.length === 0) return 'nothing differs\n';
  const lines: string[] = [];
  for (const severity of changeSeverities) {
    const group = changes.filter((change) => change.severity === severity);
    if (group.length > 0) lines.push(`${severity}:`);
    for (const change of group) lines.push(`  ${change.code}: ${change.message}${valuesOf(change)}`);
  }
  const { added, removed, changed } = summaryOf(changes);
  lines.push(`${added} added, ${removed} removed, ${changed} changed`);
  return `${lines.join('\n')}\n`;
}

/** Longest value that a line shows; `--json` has all of them. */
const longestShown = 100;

function valuesOf({ code, before, after }: Change): string {
  // What came or went is named by its sentence.
  if (changeCodes[code].counts !== 'changed' || (before === undefined && after === undefined)) return '';
  const sides = [before, after].map((value) => (value === undefined ? '(none)' : shown(value)));
  if (sides.some((side) => side.length > longestShown)) return '';
  return `: ${sides.join(' -> ')}`;
}

/** Lists as their items, and maps as JSON, in which no control character is left. */
function shown(value: unknown): string {
  const isList = Array.isArray(value) && value.every((item) => typeof item !== 'object');
  if (isList) return `[${value.map((item) => shown(item)).join(', ')}]`;
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value);
}
