/** The one place where the running configuration changes: from its file, by the admin API, or back to an earlier one. */
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { nextTurn } from '../base/slices.ts';
import { Turns } from '../base/turns.ts';
import type { Finding } from '../config/finding.ts';
import type { ConfigText, Loaded } from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import { summaryOf } from '../config/plan/change.ts';
import { withoutSecrets } from '../config/plan/written-value.ts';
import type { RouteLines } from '../config/route-lines.ts';
import { tlsFilesIn } from '../config/tls-files.ts';
import type { ApplyOptions } from '../gateway/gateway.ts';
import type { AttemptPicture, ConfigPicture } from '../gateway/picture.ts';
import type { Emit } from '../observability/events.ts';
import { planGateway } from '../router/plan-reach.ts';
import type { ChangeWish, Edit, Outcome, Plan, Refusal } from './change-wish.ts';
import { etagOf, textAs, valuesOf } from './config-document.ts';
import { ConfigKeeper } from './config-keeper.ts';
import { ConfigReader, type ConfigReaderDeps, type Sound, soundOf } from './config-reader.ts';
import { itemLinesOf } from './item-lines.ts';
import type { NamedList } from './item-text.ts';
import { type OpenOptions, openConfig } from './open-config.ts';
import type { Kept } from './state-directory.ts';
import { edited } from './text-editor.ts';

/** What carries the traffic, as far as this room cares. */
export interface ConfigTarget {
  readonly generation: number;
  /** Rejects, with nothing changed, when it cannot; answers false, and does nothing, when it runs that already. */
  apply(config: GatewayConfig, options?: ApplyOptions): Promise<boolean>;
  countReload(result: 'success' | 'failure'): void;
  readonly emit?: Emit;
}

export interface ConfigControlDeps extends ConfigReaderDeps {
  /** Hears which certificates, keys and authorities what runs is made of. */
  readonly onTlsFiles?: (files: readonly string[]) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a wish comes to: a text that may run, or the end of it. */
type Next = { readonly source: ConfigText; readonly force?: boolean } | Outcome;

export class ConfigControl {
  private readonly deps: ConfigControlDeps;
  private readonly reader: ConfigReader;
  private readonly keeper: ConfigKeeper;
  private target: ConfigTarget | null = null;
  private running: Sound | null = null;
  private attempt: AttemptPicture | null = null;
  private cause = 'start';
  private at = '';
  private readonly turns = new Turns();
  private readonly validations = new Turns();
  /** What runs beside what is written: see `setOverlay`. */
  private overlay: (config: GatewayConfig) => GatewayConfig = (config) => config;

  constructor(deps: ConfigControlDeps) {
    this.deps = deps;
    this.reader = new ConfigReader(deps);
    const { file, directory, logger } = deps;
    this.keeper = new ConfigKeeper({ file, directory, logger, path: this.reader.path });
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
  async open(options: OpenOptions): Promise<{ config: GatewayConfig | null; findings: readonly Finding[] }> {
    const { reader, keeper } = this;
    const { logger } = this.deps;
    const opened = await openConfig(options, { reader, keeper, logger, now: () => this.now() });
    this.running = opened.running;
    // Before it runs: what changes meanwhile is seen.
    if (this.running !== null) this.tellOfTlsFiles();
    this.cause = opened.cause;
    this.attempt = opened.attempt;
    this.at = this.now();
    return { config: this.running?.config ?? null, findings: opened.findings };
  }

  /** `target` runs what `open` gave. */
  async attach(target: ConfigTarget): Promise<void> {
    this.target = target;
    await this.keeper.remember(this.asKept(this.sound));
  }

  /** The number that the first generation must be greater than. */
  get generationFloor(): number {
    return this.keeper.floor;
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
    return valuesOf(this.sound.source);
  }

  /** Where the items of a list stand in `source`, as many as `config` has; null where that is not known. */
  linesOf(list: NamedList): RouteLines | null {
    const { source, config, routeLines } = this.sound;
    const lines = itemLinesOf(source, list, routeLines);
    return lines?.starts.length === config[list].length ? lines : null;
  }

  textAs(format: ConfigText['format']): string {
    return textAs(this.sound.source, format);
  }

  /** The newest first. */
  get history(): readonly Kept[] {
    return this.keeper.history;
  }

  picture(): ConfigPicture {
    return {
      file: this.deps.file,
      etag: this.etag,
      cause: this.cause,
      at: this.at,
      diverged: this.keeper.fileTag !== this.etag,
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
    return this.turns.take(async () => {
      const { keeper, reader } = this;
      const { logger } = this.deps;
      try {
        const loaded = await reader.file(this.sound);
        const sound = soundOf(loaded);
        // The tag of a large text takes some milliseconds.
        await nextTurn();
        const tag = loaded.source === null ? null : etagOf(loaded.source);
        if (sound === null) {
          logger.error('reload refused: the file has errors; the running configuration stays', {
            cause,
            findings: loaded.findings,
          });
          return this.fail(cause, { findings: loaded.findings });
        }
        const holds = keeper.changedUpon !== null && keeper.changedUpon === tag;
        const next = holds ? (soundOf(await reader.text(this.source, this.sound)) ?? this.sound) : sound;
        const changed = await this.run(next, holds ? this.cause : cause, {});
        if (!holds && keeper.changedUpon !== null) keeper.dropChange(this.target?.generation ?? 0);
        keeper.fileTag = tag;
        keeper.onStateDir(sound.config.stateDir);
        this.target?.countReload('success');
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

  /**
   * Reads the certificates, keys and authorities of what runs anew, and with them whatever else it has from other files: a
   * newer text in the file itself stays where it is. Never rejects: what is wrong is logged, counted and kept for the status.
   */
  renew(cause: string): Promise<AttemptPicture> {
    return this.turns.take(async () => {
      const { logger } = this.deps;
      try {
        const loaded = await this.reader.text(this.source, this.sound);
        const sound = soundOf(loaded);
        if (sound === null) {
          const { findings } = loaded;
          logger.error('changed certificates refused; those that run stay', { cause, findings });
          return this.fail(cause, { findings });
        }
        const changed = await this.run(sound, cause, {});
        const attempt: AttemptPicture = { at: this.now(), cause, result: 'success' };
        // A file that was only touched is no news.
        if (!changed) return attempt;
        this.target?.countReload('success');
        logger.info('certificates renewed', { cause, generation: this.generation });
        return (this.attempt = attempt);
      } catch (error) {
        logger.error('changed certificates could not be used; those that run stay', { cause, error });
        return this.fail(cause, { error: (error as Error).message });
      }
    });
  }

  /** Puts `wanted` in the place of the whole configuration. */
  put(wanted: ConfigText, wish: ChangeWish): Promise<Outcome> {
    return this.change(async () => {
      if (wanted.format === this.source.format) return { source: wanted };
      // Only what is sound can be put into another form.
      const { config, findings } = await this.reader.text(wanted, this.sound);
      if (config === null) return { kind: 'invalid', findings };
      return { source: await edited(this.source, [], valuesOf(wanted)) };
    }, wish);
  }

  /** Puts one value, by its path in what is written; `undefined` takes it out. `find` is asked when its turn has come. */
  edit(find: () => Edit | Refusal, wish: ChangeWish): Promise<Outcome> {
    return this.change(async () => {
      const edit = find();
      if ('kind' in edit) return edit;
      const [list] = edit.path;
      const lines = list === 'routes' || list === 'services' ? this.linesOf(list) : null;
      return { source: await edited(this.source, edit.path, edit.value, lines) };
    }, wish);
  }

  /** Runs an earlier configuration again, as a new generation. Null when the history has none of that number. */
  async rollback(generation: number, wish: ChangeWish): Promise<Outcome | null> {
    const kept = this.keeper.ran(generation);
    return kept === undefined ? null : this.change(() => ({ source: kept.source, force: true }), wish);
  }

  /** Runs what is written again, after the overlay has changed. */
  refresh(): Promise<void> {
    return this.turns.take(async () => {
      await this.target?.apply(this.overlay(this.config), { after: this.keeper.floor });
    });
  }

  /** Does something while nothing changes here: what comes meanwhile waits for its end. */
  hold<T>(work: () => Promise<T>): Promise<T> {
    return this.turns.take(work);
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
    return this.validations.take(() => this.reader.text(wanted, this.sound));
  }

  /** What would change if `config` ran. */
  plan({ config, secrets }: Pick<Sound, 'config' | 'secrets'>): Plan {
    const hidden = new Set([...this.sound.secrets, ...secrets]);
    const changes = withoutSecrets(planGateway(this.config, config), hidden);
    return { changes, summary: summaryOf(changes) };
  }

  private change(makeNext: () => Next | Promise<Next>, wish: ChangeWish): Promise<Outcome> {
    return this.turns.take(async (): Promise<Outcome> => {
      const { dryRun = false, cause, by } = wish;
      const unmet = this.unmet(wish);
      if (unmet !== null) return unmet;
      const reason = dryRun ? null : this.keeper.writesRefused(this.config.admin);
      if (reason !== null) return { kind: 'refused', code: 'conflict', reason };
      const wanted = await makeNext();
      if ('kind' in wanted) return wanted;
      const { source, force = false } = wanted;
      const loaded = await this.reader.text(source, this.sound);
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
    // The generation that it is about to be: known before, so that a full disk is found before anything has changed.
    const generation = Math.max(this.generation, this.keeper.floor) + 1;
    const kept: Kept = { source: next.source, generation, cause, at: this.now(), file: this.keeper.file };
    const persist = await this.keeper.stage(kept, this.config.admin);
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

  private async run(next: Sound, cause: string, { force = false }: { force?: boolean }): Promise<boolean> {
    if (this.target === null) throw new Error('the gateway has not started');
    const changed = await this.target.apply(this.overlay(next.config), { force, after: this.keeper.floor });
    this.running = next;
    // The swap has just had its turn.
    await nextTurn();
    this.tellOfTlsFiles();
    if (changed) {
      this.cause = cause;
      this.at = this.now();
      await this.keeper.remember(this.asKept(next));
    }
    return changed;
  }

  private tellOfTlsFiles(): void {
    this.deps.onTlsFiles?.(tlsFilesIn(this.config, dirname(this.reader.path)).map(({ file }) => file));
  }

  private asKept({ source }: Sound): Kept {
    const { cause, at } = this;
    return { source, generation: this.target?.generation ?? 0, cause, at, file: this.keeper.file };
  }

  private now(): string {
    return new Date(this.deps.clock.wall()).toISOString();
  }
}
