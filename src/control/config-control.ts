/** The one place where the running configuration changes: from its file, by the admin API, or back to an earlier one. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type ErrorCode, OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Finding } from '../config/finding.ts';
import { type ConfigLoader, type ConfigText, type Loaded, type LoadOptions, loadHere } from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import { type Change, type ChangeSummary, summaryOf } from '../config/plan/change.ts';
import { withoutSecrets } from '../config/plan/written-value.ts';
import type { ValuePath } from '../config/source-tree.ts';
import type { ApplyOptions } from '../gateway/gateway.ts';
import type { AttemptPicture, ConfigPicture } from '../gateway/picture.ts';
import type { Emit } from '../observability/events.ts';
import { planGateway } from '../router/plan-reach.ts';
import { etagOf, textAs, valuesOf } from './config-document.ts';
import { editApart } from './edit-apart.ts';
import { HISTORY_LENGTH, type Kept, type Staged, StateDirectory, stageFile } from './state-directory.ts';

/** What carries the traffic, as far as this room cares. */
export interface ConfigTarget {
  readonly generation: number;
  /** Rejects, with nothing changed, when it cannot; answers false, and does nothing, when it runs that already. */
  apply(config: GatewayConfig, options?: ApplyOptions): Promise<boolean>;
  countReload(result: 'success' | 'failure'): void;
  readonly emit?: Emit;
}

export interface ConfigControlDeps {
  /** As operators name it: findings carry this name. */
  readonly file: string;
  /** Where a relative name is looked for. */
  readonly directory: string;
  readonly load: LoadOptions;
  /** In this thread by default. */
  readonly loader?: ConfigLoader;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Hears which files the newest load read. */
  readonly onFiles?: (files: readonly string[]) => void;
}

/** A configuration that is sound. */
interface Sound {
  readonly source: ConfigText;
  readonly config: GatewayConfig;
  readonly secrets: ReadonlySet<string>;
  readonly findings: readonly Finding[];
}

/** How a wish to change the configuration ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly changed: boolean; readonly warnings: readonly Finding[] }
  | { readonly kind: 'planned'; readonly plan: Plan; readonly warnings: readonly Finding[] }
  | { readonly kind: 'invalid'; readonly findings: readonly Finding[] }
  | Refusal;

export interface Refusal {
  readonly kind: 'refused';
  readonly code: Extract<ErrorCode, 'bad_request' | 'resource_not_found' | 'conflict' | 'precondition_failed'>;
  readonly reason: string;
}

export interface Plan {
  readonly changes: readonly Change[];
  readonly summary: ChangeSummary;
}

export interface ChangeWish {
  /** `api` or `rollback`. */
  readonly cause: string;
  /** Who wishes it, for the log. */
  readonly by: string;
  /** Entity tags of which the running one must be one; null for any. */
  readonly ifMatch: readonly string[] | null;
  /** Only tells what would change. */
  readonly dryRun?: boolean;
}

/** A value to be put at a path of what is written; `undefined` takes out what stands there. */
export interface Edit {
  readonly path: ValuePath;
  readonly value: unknown;
}

/** What a wish comes to: a text that may run, or the end of it. */
type Next = { readonly source: ConfigText; readonly force?: boolean } | Outcome;

export class ConfigControl {
  private readonly deps: ConfigControlDeps;
  private target: ConfigTarget | null = null;
  private state: StateDirectory | null = null;
  /** Where the next start looks for it: as it was given, or else as the file says now. */
  private nextStateDir: string | undefined;
  private stateDirIsGiven = false;
  private running: Sound | null = null;
  /** What was last read of `running`; not to be changed. */
  private written: { readonly source: ConfigText; readonly values: unknown } | null = null;
  private kept: Kept[] = [];
  /** Tag of the file's content at its last load, sound or not; null when there was none. */
  private fileTag: string | null = null;
  /** Tag of the file's content upon which a change that only the state directory has was made. */
  private changedUpon: string | null = null;
  private attempt: AttemptPicture | null = null;
  private cause = 'start';
  private at = '';
  /** The number of the newest generation of earlier processes. */
  private floor = 0;
  private turns: Promise<unknown> = Promise.resolve();
  private validations: Promise<unknown> = Promise.resolve();
  /** What runs beside what is written: see `setOverlay`. */
  private overlay: (config: GatewayConfig) => GatewayConfig = (config) => config;

  constructor(deps: ConfigControlDeps) {
    this.deps = deps;
  }

  /** Endpoints that registered themselves, for one: applied to each configuration before it runs. */
  setOverlay(overlay: (config: GatewayConfig) => GatewayConfig): void {
    this.overlay = overlay;
  }

  // The start.

  /**
   * What to begin with: the file, a change that the state directory has for it, or, when the file is broken and
   * `bootLastGood` is set, the last one that ran. Null, with what is wrong, when there is none of these.
   */
  async open(options: { bootLastGood: boolean; stateDir?: string | undefined }): Promise<{
    config: GatewayConfig | null;
    findings: readonly Finding[];
  }> {
    const loaded = await this.load();
    this.fileTag = loaded.source === null ? null : etagOf(loaded.source);
    const stateDir = options.stateDir ?? loaded.config?.stateDir ?? (await this.stateDirOfBroken(loaded));
    if (stateDir !== undefined) await this.openState(stateDir);
    this.nextStateDir = stateDir;
    this.stateDirIsGiven = options.stateDir !== undefined;
    const sound = soundOf(loaded);
    if (sound !== null) this.running = (await this.keptChange()) ?? sound;
    else if (options.bootLastGood) await this.bootLastGood(loaded.findings);
    this.at = this.now();
    return { config: this.running?.config ?? null, findings: this.running?.findings ?? loaded.findings };
  }

  /** `target` runs what `open` gave. */
  async attach(target: ConfigTarget): Promise<void> {
    this.target = target;
    await this.remember(this.sound);
  }

  /** The number that the first generation must be greater than. */
  get generationFloor(): number {
    return this.floor;
  }

  private async openState(path: string): Promise<void> {
    const state = new StateDirectory(resolve(this.deps.directory, path));
    try {
      await state.open();
    } catch (error) {
      throw new OperatorError(`stateDir: ${state.path} cannot be used: ${(error as Error).message}`);
    }
    this.state = state;
    this.kept = await state.history();
    this.floor = this.kept.at(-1)?.generation ?? 0;
  }

  /** Where the state of a file lies that is broken: the key is found as long as its line is whole. */
  private async stateDirOfBroken({ config }: Loaded): Promise<string | undefined> {
    if (config !== null) return undefined;
    const text = await readFile(this.path, 'utf8').catch(() => '');
    const line = /^[ \t{]*(["']?)stateDir\1[ \t]*:[ \t]*("[^"\n]+"|'[^'\n]+'|[^\s"'#][^#\n]*)/m.exec(text);
    return line?.[2].trim().replace(/^(["'])(.*)\1,?$/, '$2');
  }

  /** The change by the admin API that still holds. */
  private async keptChange(): Promise<Sound | null> {
    const change = (await this.state?.change()) ?? null;
    if (change === null) return null;
    if (change.basedOn !== this.fileTag) {
      this.dropChange(change.generation);
      return null;
    }
    const loaded = await this.loadText(change.source);
    const sound = soundOf(loaded);
    if (sound === null) {
      this.deps.logger.error('a change by the admin API cannot be loaded any more: the file runs without it', {
        findings: loaded.findings,
      });
      return null;
    }
    this.changedUpon = change.basedOn;
    this.cause = change.cause;
    this.deps.logger.warn('the running configuration is the file as the admin API changed it', { at: change.at });
    return sound;
  }

  private async bootLastGood(findings: readonly Finding[]): Promise<void> {
    const { logger } = this.deps;
    const good = (await this.state?.lastGood()) ?? null;
    if (good === null) {
      logger.error('the configuration has errors, and there is no last good one', {
        state_dir: this.state?.path ?? null,
      });
      return;
    }
    const loaded = await this.loadText(good.source);
    this.running = soundOf(loaded);
    this.cause = 'last-good';
    this.attempt = { at: this.now(), cause: 'start', result: 'failure', findings };
    const level = this.running === null ? 'the last good one has errors too' : 'the last good one runs';
    logger.error(`THE CONFIGURATION HAS ERRORS: ${level}`, {
      last_good_generation: good.generation,
      last_good_at: good.at,
      findings: this.running === null ? loaded.findings : findings,
    });
  }

  // What runs.

  get source(): ConfigText {
    return this.sound.source;
  }

  get config(): GatewayConfig {
    return this.sound.config;
  }

  get generation(): number {
    return this.target?.generation ?? 0;
  }

  get etag(): string {
    return etagOf(this.sound.source);
  }

  /** The values as written. */
  values(): unknown {
    const { source } = this.sound;
    // Read at every look at a route, and at every edit.
    if (this.written?.source !== source) this.written = { source, values: valuesOf(source) };
    return this.written.values;
  }

  textAs(format: ConfigText['format']): string {
    return textAs(this.sound.source, format);
  }

  /** The newest first. */
  get history(): readonly Kept[] {
    return [...this.kept].reverse();
  }

  picture(): ConfigPicture {
    return {
      file: this.deps.file,
      etag: this.etag,
      cause: this.cause,
      at: this.at,
      diverged: this.fileTag !== this.etag,
      lastReload: this.attempt,
    };
  }

  private get sound(): Sound {
    if (this.running === null) throw new Error('no configuration is open');
    return this.running;
  }

  // Changes.

  /** Loads the file anew. Never rejects: what is wrong is logged, counted and kept for the status. */
  reload(cause: string): Promise<AttemptPicture> {
    return this.inTurn(async () => {
      const { logger } = this.deps;
      try {
        const loaded = await this.load();
        const sound = soundOf(loaded);
        const tag = loaded.source === null ? null : etagOf(loaded.source);
        if (sound === null) {
          logger.error('reload refused: the file has errors; the running configuration stays', {
            cause,
            findings: loaded.findings,
          });
          return this.fail(cause, { findings: loaded.findings });
        }
        const holds = this.changedUpon !== null && this.changedUpon === tag;
        const next = holds ? (soundOf(await this.loadText(this.source)) ?? this.sound) : sound;
        const changed = await this.run(next, holds ? this.cause : cause, {});
        if (!holds && this.changedUpon !== null) this.dropChange(this.target?.generation ?? 0);
        this.fileTag = tag;
        if (!this.stateDirIsGiven) this.nextStateDir = sound.config.stateDir;
        logger.info(changed ? 'reloaded' : 'reload: nothing changed', {
          cause,
          generation: this.target?.generation ?? 0,
        });
        return (this.attempt = { at: this.now(), cause, result: 'success' });
      } catch (error) {
        logger.error('reload failed; the running configuration stays', { cause, error });
        return this.fail(cause, { error: (error as Error).message });
      }
    });
  }

  /** Puts `wanted` in the place of the whole configuration. */
  put(wanted: ConfigText, wish: ChangeWish): Promise<Outcome> {
    return this.change(async () => {
      if (wanted.format === this.source.format) return { source: wanted };
      // Only what is sound can be put into another form.
      const { config, findings } = await this.loadText(wanted);
      if (config === null) return { kind: 'invalid', findings };
      return { source: await editApart(this.source, [], valuesOf(wanted)) };
    }, wish);
  }

  /** Puts one value, by its path in what is written; `undefined` takes it out. `find` is asked when its turn has come. */
  edit(find: () => Edit | Refusal, wish: ChangeWish): Promise<Outcome> {
    return this.change(async () => {
      const edit = find();
      return 'kind' in edit ? edit : { source: await editApart(this.source, edit.path, edit.value) };
    }, wish);
  }

  /** Runs an earlier configuration again, as a new generation. Null when the history has none of that number. */
  async rollback(generation: number, wish: ChangeWish): Promise<Outcome | null> {
    const kept = this.kept.find((one) => one.generation === generation);
    return kept === undefined ? null : this.change(() => ({ source: kept.source, force: true }), wish);
  }

  /** Runs what is written again, after the overlay has changed. */
  refresh(): Promise<void> {
    return this.inTurn(async () => {
      await this.target?.apply(this.overlay(this.config), { after: this.floor });
    });
  }

  /** Does something while nothing changes here: what comes meanwhile waits for its end. */
  hold<T>(work: () => Promise<T>): Promise<T> {
    return this.inTurn(work);
  }

  /** Why a request that names the configuration it means is refused, or null: another one runs. */
  unmet({ ifMatch }: Pick<ChangeWish, 'ifMatch'>): Refusal | null {
    if (ifMatch === null || ifMatch.includes('*') || ifMatch.includes(this.etag)) return null;
    return {
      kind: 'refused',
      code: 'precondition_failed',
      reason: `The configuration has changed: its ETag is ${this.etag}.`,
    };
  }

  /** What is wrong with a text, if it were the configuration. */
  validate(wanted: ConfigText): Promise<Loaded> {
    // One after the other: each may take a hundred times the memory of its text.
    const turn = this.validations.then(() => this.loadText(wanted));
    this.validations = turn.catch(() => undefined);
    return turn;
  }

  /** What would change if `config` ran. */
  plan({ config, secrets }: Pick<Sound, 'config' | 'secrets'>): Plan {
    const hidden = new Set([...this.sound.secrets, ...secrets]);
    const changes = withoutSecrets(planGateway(this.config, config), hidden);
    return { changes, summary: summaryOf(changes) };
  }

  private change(makeNext: () => Next | Promise<Next>, wish: ChangeWish): Promise<Outcome> {
    return this.inTurn(async (): Promise<Outcome> => {
      const { dryRun = false, cause, by } = wish;
      const unmet = this.unmet(wish);
      if (unmet !== null) return unmet;
      const reason = dryRun ? null : this.writesRefused();
      if (reason !== null) return { kind: 'refused', code: 'conflict', reason };
      const wanted = await makeNext();
      if ('kind' in wanted) return wanted;
      const { source, force = false } = wanted;
      const loaded = await this.loadText(source);
      const next = soundOf(loaded);
      if (next === null) return { kind: 'invalid', findings: loaded.findings };
      if (dryRun) return { kind: 'planned', plan: this.plan(next), warnings: next.findings };
      if (!force && source.text === this.source.text) return { kind: 'done', changed: false, warnings: next.findings };
      try {
        const changed = await this.runAndKeep(next, cause, force);
        this.target?.countReload('success');
        this.attempt = { at: this.now(), cause, result: 'success' };
        this.deps.logger.info('the configuration was changed', { cause, by, generation: this.target?.generation });
        return { kind: 'done', changed, warnings: next.findings };
      } catch (error) {
        const { message } = error as Error;
        this.fail(cause, { error: message });
        this.deps.logger.error('a change of the configuration failed', { cause, by, error });
        return { kind: 'refused', code: 'conflict', reason: `The change could not be made: ${message}.` };
      }
    });
  }

  /** Rejects, with the former one running, when it cannot run or cannot be kept. */
  private async runAndKeep(next: Sound, cause: string, force: boolean): Promise<boolean> {
    const former = this.sound;
    const persist = await this.stage(next, cause);
    let changed: boolean;
    try {
      changed = await this.run(next, cause, { force });
    } catch (error) {
      await persist.discard();
      throw error;
    }
    try {
      await persist.commit();
    } catch (error) {
      await persist.discard();
      // What runs and is not kept would be lost at the next start, without a word.
      await this.run(former, 'rollback', {});
      throw error;
    }
    return changed;
  }

  private fail(cause: string, what: Pick<AttemptPicture, 'findings' | 'error'>): AttemptPicture {
    const { generation } = this;
    const errors = what.findings?.filter(({ severity }) => severity === 'error').length;
    const error = what.error ?? `${errors} error${errors === 1 ? '' : 's'} in the configuration`;
    this.target?.countReload('failure');
    this.target?.emit?.({ type: 'config', result: 'failed', generation, cause, error });
    this.attempt = { at: this.now(), cause, result: 'failure', ...what };
    return this.attempt;
  }

  /** Why the configuration may not be changed from outside its file, or null. */
  private writesRefused(): string | null {
    const { admin } = this.config;
    if (admin?.writes !== true) {
      return 'The configuration comes from a file, and admin.writes is not true: change the file.';
    }
    if (admin.persist === 'state') {
      if (this.state === null) return 'The change could not be kept: there is no stateDir.';
      const { nextStateDir } = this;
      return nextStateDir !== undefined && resolve(this.deps.directory, nextStateDir) === this.state.path
        ? null
        : 'The change would be lost at the next start: stateDir of the file is another one now. Restart first.';
    }
    return isProgram(this.deps.file)
      ? 'The configuration is a program, which cannot be written back: change it, or set admin.persist to state.'
      : null;
  }

  /** Gets ready to keep a change where `admin.persist` says. */
  private async stage(next: Sound, cause: string): Promise<Staged> {
    const { admin } = this.config;
    if (admin?.persist === 'state') return this.stageInState(next, cause);
    // Through links, to what they lead to; with the rights that it has.
    const path = await realpath(this.path);
    await this.refuseUnread(path);
    const staged = await stageFile(path, next.source.text, (await stat(path)).mode & 0o777);
    return {
      discard: () => staged.discard(),
      commit: async () => {
        // Time has passed, in which somebody may have saved the file.
        await this.refuseUnread(path);
        await staged.commit();
        this.fileTag = etagOf(next.source);
        this.changedUpon = null;
      },
    };
  }

  /** Rejects when the file holds what nobody has loaded: writing would undo somebody's work. */
  private async refuseUnread(path: string): Promise<void> {
    const onDisk = await readFile(path, 'utf8');
    if (etagOf({ text: onDisk.replace(/^\ufeff/, ''), format: 'yaml' }) !== this.fileTag) {
      throw new Error('the file on disk was changed and not loaded: load it first, or undo that');
    }
  }

  private async stageInState({ source }: Sound, cause: string): Promise<Staged> {
    if (this.state === null) throw new Error('there is no stateDir');
    const basedOn = this.fileTag ?? '';
    // The generation that it is about to be: known before, so that a full disk is found before anything has changed.
    const generation = Math.max(this.generation, this.floor) + 1;
    const staged = await this.state.stageChange({ source, generation, cause, at: this.now(), basedOn });
    return {
      discard: () => staged.discard(),
      commit: async () => {
        await staged.commit();
        this.changedUpon = basedOn;
      },
    };
  }

  private dropChange(generation: number): void {
    this.changedUpon = null;
    this.deps.logger.warn('the file has changed since the admin API changed the configuration: the file runs', {
      dropped_generation: generation,
    });
    this.state?.dropChange().catch((error: unknown) => {
      this.deps.logger.error('the dropped change could not be removed from the state directory', { error });
    });
  }

  private async run(next: Sound, cause: string, { force = false }: { force?: boolean }): Promise<boolean> {
    if (this.target === null) throw new Error('the gateway has not started');
    const changed = await this.target.apply(this.overlay(next.config), { force, after: this.floor });
    this.running = next;
    if (changed) {
      this.cause = cause;
      this.at = this.now();
      await this.remember(next);
    }
    return changed;
  }

  /** In the history, and in the state directory. A disk that fails does not undo what runs. */
  private async remember({ source }: Sound): Promise<void> {
    const { cause, at } = this;
    const kept: Kept = { source, generation: this.target?.generation ?? 0, cause, at };
    this.kept = [...this.kept, kept].slice(-HISTORY_LENGTH);
    try {
      await this.state?.keep(kept);
    } catch (error) {
      this.deps.logger.error('the running configuration could not be kept in the state directory', { error });
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.turns.then(work);
    this.turns = turn.catch(() => undefined);
    return turn;
  }

  private get loader(): ConfigLoader {
    return this.deps.loader ?? loadHere;
  }

  private get path(): string {
    return resolve(this.deps.directory, this.deps.file);
  }

  private now(): string {
    return new Date(this.deps.clock.wall()).toISOString();
  }

  private async load(): Promise<Loaded> {
    const loaded = await this.loader.file(this.path, this.loadOptions);
    this.deps.onFiles?.(loaded.files);
    return loaded;
  }

  private loadText(source: ConfigText): Promise<Loaded> {
    return this.loader.text(source, this.path, this.loadOptions);
  }

  private get loadOptions(): LoadOptions {
    return { ...this.deps.load, name: this.deps.file };
  }
}

function soundOf({ config, source, secrets, findings }: Loaded): Sound | null {
  return config === null || source === null ? null : { config, source, secrets, findings };
}

function isProgram(file: string): boolean {
  return !['.yaml', '.yml', '.json'].includes(extname(file));
}
