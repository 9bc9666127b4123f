/** What a gateway begins with: its file, a change by the admin API that holds upon it, or the last good one. */
import type { Logger } from '../base/logger.ts';
import type { Finding } from '../config/finding.ts';
import type { AttemptPicture } from '../gateway/picture.ts';
import { etagOf } from './config-document.ts';
import type { ConfigKeeper } from './config-keeper.ts';
import { type ConfigReader, type Sound, soundOf } from './config-reader.ts';

export interface OpenOptions {
  /** Begins with the last one that ran when the file is broken. */
  readonly bootLastGood: boolean;
  /** In place of what the file says. */
  readonly stateDir?: string | undefined;
}

export interface OpenDeps {
  readonly reader: ConfigReader;
  readonly keeper: ConfigKeeper;
  readonly logger: Logger;
  /** In ISO 8601. */
  readonly now: () => string;
}

export interface Opened {
  /** Null when there is none that is sound. */
  readonly running: Sound | null;
  readonly cause: string;
  /** That the file did not come to run, where another one does. */
  readonly attempt: AttemptPicture | null;
  readonly findings: readonly Finding[];
}

/** Rejects with `OperatorError` when the state directory cannot be used. */
export async function openConfig(options: OpenOptions, deps: OpenDeps): Promise<Opened> {
  const { reader, keeper } = deps;
  const loaded = await reader.file();
  keeper.fileTag = loaded.source === null ? null : etagOf(loaded.source);
  const stateDir = options.stateDir ?? loaded.config?.stateDir ?? (await reader.stateDirOfBroken(loaded));
  if (stateDir !== undefined) await keeper.openState(stateDir, options.stateDir !== undefined);
  const { findings } = loaded;
  const sound = soundOf(loaded);
  if (sound !== null) return (await keptChange(deps)) ?? { running: sound, cause: 'start', attempt: null, findings };
  if (options.bootLastGood) return lastGood(findings, deps);
  return { running: null, cause: 'start', attempt: null, findings };
}

/** The change by the admin API that still holds. */
async function keptChange({ reader, keeper, logger }: OpenDeps): Promise<Opened | null> {
  const change = await keeper.change();
  if (change === null) return null;
  const loaded = await reader.text(change.source);
  const sound = soundOf(loaded);
  if (sound === null) {
    logger.error('a change by the admin API cannot be loaded any more: the file runs without it', {
      findings: loaded.findings,
    });
    return null;
  }
  keeper.changedUpon = change.basedOn;
  logger.warn('the running configuration is the file as the admin API changed it', { at: change.at });
  return { running: sound, cause: change.cause, attempt: null, findings: sound.findings };
}

async function lastGood(findings: readonly Finding[], { reader, keeper, logger, now }: OpenDeps): Promise<Opened> {
  const good = await keeper.lastGood();
  if (good === null) {
    logger.error('the configuration has errors, and there is no last good one', {
      state_dir: keeper.statePath,
    });
    return { running: null, cause: 'start', attempt: null, findings };
  }
  const loaded = await reader.text(good.source);
  const running = soundOf(loaded);
  const level = running === null ? 'the last good one has errors too' : 'the last good one runs';
  logger.error(`THE CONFIGURATION HAS ERRORS: ${level}`, {
    last_good_generation: good.generation,
    last_good_at: good.at,
    findings: running === null ? loaded.findings : findings,
  });
  const attempt: AttemptPicture = { at: now(), cause: 'start', result: 'failure', findings };
  return { running, cause: 'last-good', attempt, findings: running?.findings ?? findings };
}
