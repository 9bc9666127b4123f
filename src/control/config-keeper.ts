/** Where the configuration is kept: in its file, in the state directory, and in the history of what ran. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ConfigText } from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import { etagOf } from './config-document.ts';
import { type Kept, type KeptChange, newest, StateDirectory, stageFile } from './state-directory.ts';

export interface ConfigKeeperDeps {
  /** As operators name it. */
  readonly file: string;
  /** Absolute, of the same file. */
  readonly path: string;
  /** Where a relative name is looked for. */
  readonly directory: string;
  readonly logger: Logger;
}

/** A change that is ready to be kept. One of the two is called, once. */
interface Staged {
  commit(): Promise<void>;
  discard(): Promise<void>;
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
  private kept: Kept[] = [];

  constructor(deps: ConfigKeeperDeps) {
    this.deps = deps;
  }

  async openState(path: string): Promise<void> {
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

  /** Of the state directory; null when there is none. */
  get statePath(): string | null {
    return this.state?.path ?? null;
  }

  async lastGood(): Promise<Kept | null> {
    return (await this.state?.lastGood()) ?? null;
  }

  /** The change by the admin API that still holds; one that does not is dropped. */
  async change(): Promise<KeptChange | null> {
    const change = (await this.state?.change()) ?? null;
    if (change === null || change.basedOn === this.fileTag) return change;
    this.dropChange(change.generation);
    return null;
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
      return this.state === null ? 'The change could not be kept: there is no stateDir.' : null;
    }
    return isProgram(this.deps.file)
      ? 'The configuration is a program, which cannot be written back: change it, or set admin.persist to state.'
      : null;
  }

  /** Gets ready to keep a change where `admin.persist` says; `asKept` is asked when it runs. */
  async stage(next: ConfigText, admin: GatewayConfig['admin'], asKept: () => Kept): Promise<Staged> {
    if (admin?.persist === 'state') return this.stageInState(asKept);
    // Through links, to what they lead to; with the rights that it has.
    const path = await realpath(this.deps.path);
    const onDisk = await readFile(path, 'utf8');
    if (etagOf({ text: onDisk.replace(/^\ufeff/, ''), format: 'yaml' }) !== this.fileTag) {
      throw new Error('the file on disk was changed and not loaded: load it first, or undo that');
    }
    const staged = await stageFile(path, next.text, (await stat(path)).mode & 0o777);
    return {
      discard: () => staged.discard(),
      commit: async () => {
        await staged.commit();
        this.fileTag = etagOf(next);
        this.changedUpon = null;
      },
    };
  }

  private stageInState(asKept: () => Kept): Staged {
    const basedOn = this.fileTag ?? '';
    return {
      discard: () => Promise.resolve(),
      commit: async () => {
        await this.state?.keepChange({ ...asKept(), basedOn });
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

function isProgram(file: string): boolean {
  return !['.yaml', '.yml', '.json'].includes(extname(file));
}
