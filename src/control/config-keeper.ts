/** Where the configuration is kept: in its file, in the state directory, and in the history of what ran. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { isModule } from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import { etagOf } from './config-document.ts';
import { type Kept, type KeptChange, newest, type Staged, StateDirectory, stageFile } from './state-directory.ts';

export interface ConfigKeeperDeps {
  /** As operators name it. */
  readonly file: string;
  /** Absolute, of the same file. */
  readonly path: string;
  /** Where a relative name is looked for. */
  readonly directory: string;
  readonly logger: Logger;
}

export class ConfigKeeper {
  /** Tag of the file's content at its last load, sound or not; null when there was none. */
  fileTag: string | null = null;
  /** Tag of the file's content upon which a change that only the state directory has was made. */
  changedUpon: string | null = null;
  /** The number of the newest generation of earlier processes. */
  floor = 0;
  private readonly deps: ConfigKeeperDeps;
  private state: StateDirectory | null = null;
  /** Where the next start looks for it: as it was given, or else as the file says now. */
  private nextStateDir: string | undefined;
  private stateDirIsGiven = false;
  /** True once it is known that the state directory holds another gateway's, too. */
  private isShared = false;
  private kept: Kept[] = [];

  constructor(deps: ConfigKeeperDeps) {
    this.deps = deps;
  }

  /** `isGiven`: not by the file, which may say what it will. */
  async openState(path: string, isGiven: boolean): Promise<void> {
    this.nextStateDir = path;
    this.stateDirIsGiven = isGiven;
    const state = new StateDirectory(resolve(this.deps.directory, path));
    try {
      await state.open();
    } catch (error) {
      throw new OperatorError(`stateDir: ${state.path} cannot be used: ${(error as Error).message}`);
    }
    this.state = state;
    this.kept = (await state.history()).filter((kept) => this.isOwn(kept));
    this.floor = this.kept.at(-1)?.generation ?? 0;
  }

  /** The file that runs now says this of the state directory; the one in use stays until a restart. */
  onStateDir(path: string | undefined): void {
    if (!this.stateDirIsGiven) this.nextStateDir = path;
  }

  /** Of the state directory; null when there is none. */
  get statePath(): string | null {
    return this.state?.path ?? null;
  }

  async lastGood(): Promise<Kept | null> {
    const good = (await this.state?.lastGood()) ?? null;
    return good !== null && this.isOwn(good) ? good : null;
  }

  /** The change by the admin API that still holds; one that does not is dropped. */
  async change(): Promise<KeptChange | null> {
    const change = (await this.state?.change()) ?? null;
    if (change === null || !this.isOwn(change)) return null;
    if (change.basedOn === this.fileTag) return change;
    this.dropChange(change.generation);
    return null;
  }

  /** Absolute. */
  get file(): string {
    return this.deps.path;
  }

  /** Of this file, and not of another gateway's that was given the same directory. */
  private isOwn({ file }: Kept): boolean {
    if (file === this.file) return true;
    if (this.isShared) return false;
    this.isShared = true;
    this.deps.logger.warn('the state directory is shared with another configuration file: give each gateway its own', {
      state_dir: this.state?.path ?? '',
      other_file: file,
    });
    return false;
  }

  /** What ran, the newest first. */
  get history(): readonly Kept[] {
    return [...this.kept].reverse();
  }

  /** What ran as the generation of this number. */
  ran(generation: number): Kept | undefined {
    return this.kept.find((one) => one.generation === generation);
  }

  /** Why the configuration may not be changed from outside its file, or null. */
  writesRefused(admin: GatewayConfig['admin']): string | null {
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
    return isModule(this.deps.file)
      ? 'The configuration is a program, which cannot be written back: change it, or set admin.persist to state.'
      : null;
  }

  /** Gets ready to keep `kept`, which is about to run, where `admin.persist` says. */
  async stage(kept: Kept, admin: GatewayConfig['admin']): Promise<Staged> {
    if (admin?.persist === 'state') return this.stageInState(kept);
    const { source } = kept;
    // Through links, to what they lead to; with the rights that it has.
    const path = await realpath(this.deps.path);
    await this.refuseUnread(path);
    const staged = await stageFile(path, source.text, (await stat(path)).mode & 0o777);
    return {
      discard: () => staged.discard(),
      commit: async () => {
        // Time has passed, in which somebody may have saved the file.
        await this.refuseUnread(path);
        await staged.commit();
        this.fileTag = etagOf(source);
        this.changedUpon = null;
      },
    };
  }

  /** Rejects when the file holds what nobody has loaded: writing would undo somebody's work. */
  private async refuseUnread(path: string): Promise<void> {
    if (!(await stat(path)).isFile()) throw new Error('the configuration is no regular file, and cannot be written');
    const onDisk = await readFile(path, 'utf8');
    if (etagOf({ text: onDisk.replace(/^\ufeff/, ''), format: 'yaml' }) !== this.fileTag) {
      throw new Error('the file on disk was changed and not loaded: load it first, or undo that');
    }
  }

  private async stageInState(kept: Kept): Promise<Staged> {
    if (this.state === null) throw new Error('there is no stateDir');
    const basedOn = this.fileTag ?? '';
    const staged = await this.state.stageChange({ ...kept, basedOn });
    return {
      discard: () => staged.discard(),
      commit: async () => {
        await staged.commit();
        this.changedUpon = basedOn;
      },
    };
  }

  /** The file runs, and no longer what the admin API made of it; `generation` is the one that is dropped. */
  dropChange(generation: number): void {
    this.changedUpon = null;
    this.deps.logger.warn('the file has changed since the admin API changed the configuration: the file runs', {
      dropped_generation: generation,
    });
    this.state?.dropChange().catch((error: unknown) => {
      this.deps.logger.error('the dropped change could not be removed from the state directory', { error });
    });
  }

  /** In the history, and in the state directory. A disk that fails does not undo what runs. */
  async remember(kept: Kept): Promise<void> {
    this.kept = newest([...this.kept, kept]);
    try {
      await this.state?.keep(kept);
    } catch (error) {
      this.deps.logger.error('the running configuration could not be kept in the state directory', { error });
    }
  }
}
