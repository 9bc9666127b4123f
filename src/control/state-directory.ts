/** What of the configuration outlives the process: the last good one, its history, and what the admin API changed. */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigText } from '../config/load.ts';

/** A configuration that ran. */
export interface Kept {
  readonly source: ConfigText;
  readonly generation: number;
  /** Why it came to run: `start`, `signal`, `file`, `api`, `rollback`. */
  readonly cause: string;
  /** When, in ISO 8601. */
  readonly at: string;
  /** Absolute path of the file that it was, or stood for: a directory that two gateways share by mistake holds both. */
  readonly file: string;
}

/** A change by the admin API that the file knows nothing of. */
export interface KeptChange extends Kept {
  /** The entity tag of the file's content upon which it was made: it holds while that is so. */
  readonly basedOn: string;
}

/** Configurations that the history holds; the oldest goes first. */
const HISTORY_LENGTH = 50;
/** Characters of their texts beyond which it holds fewer: fifty large ones would be more than all else in memory. */
const HISTORY_SIZE = 16 * 1024 * 1024;

/** What there is room for in memory, of configurations of which the oldest is the first: two at least. */
export function newest(kept: readonly Kept[]): Kept[] {
  let room = HISTORY_SIZE;
  let from = kept.length;
  while (from > 0 && kept.length - from < HISTORY_LENGTH) {
    room -= kept[from - 1].source.text.length;
    if (room < 0 && kept.length - from >= 2) break;
    from -= 1;
  }
  return kept.slice(from);
}

const LAST_GOOD = 'last-good.json';
const CHANGE = 'api-change.json';
const HISTORY = 'history';

export class StateDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes it when it is not there. Rejects with the system's error. */
  async open(): Promise<void> {
    // What operators write may hold secrets.
    await mkdir(join(this.path, HISTORY), { recursive: true, mode: 0o700 });
  }

  lastGood(): Promise<Kept | null> {
    return this.read<Kept>(LAST_GOOD);
  }

  change(): Promise<KeptChange | null> {
    return this.read<KeptChange>(CHANGE);
  }

  stageChange(change: KeptChange): Promise<Staged> {
    return stageFile(join(this.path, CHANGE), textOf(change), 0o600);
  }

  async dropChange(): Promise<void> {
    await rm(join(this.path, CHANGE), { force: true });
  }

  /** Keeps it as the last good one and in the history. */
  async keep(kept: Kept): Promise<void> {
    await this.write(LAST_GOOD, kept);
    await this.write(join(HISTORY, nameOf(kept.generation)), kept);
    const names = await this.historyNames();
    for (const name of names.slice(0, -HISTORY_LENGTH)) await rm(join(this.path, HISTORY, name), { force: true });
  }

  /** As much of it as there is room for, the oldest first. A file that cannot be read is passed over. */
  async history(): Promise<Kept[]> {
    let kept: Kept[] = [];
    for (const name of (await this.historyNames()).slice(-HISTORY_LENGTH).reverse()) {
      const one = await this.read<Kept>(join(HISTORY, name));
      if (one === null) continue;
      kept = [one, ...kept];
      if (newest(kept).length < kept.length) return newest(kept);
    }
    return kept;
  }

  private async historyNames(): Promise<string[]> {
    const names = await readdir(join(this.path, HISTORY)).catch(() => []);
    return names.filter((name) => /^\d+\.json$/.test(name)).sort();
  }

  /** Null when there is none, or what there is was not written whole. */
  private async read<T extends Kept>(name: string): Promise<T | null> {
    try {
      const value = JSON.parse(await readFile(join(this.path, name), 'utf8')) as T;
      return isKept(value) ? value : null;
    } catch {
      return null;
    }
  }

  private write(name: string, value: Kept): Promise<void> {
    return writeWhole(join(this.path, name), textOf(value), 0o600);
  }
}

/** A file that is written, and not yet in its place. */
export interface Staged {
  commit(): Promise<void>;
  discard(): Promise<void>;
}

function textOf(value: Kept): string {
  return `${JSON.stringify(value)}\n`;
}

/** So that names sort as numbers do. */
function nameOf(generation: number): string {
  return `${String(generation).padStart(12, '0')}.json`;
}

function isKept(value: Partial<Kept> | null): value is Kept {
  const { source, generation, cause, at, file } = value ?? {};
  const isText = typeof source?.text === 'string' && (source.format === 'yaml' || source.format === 'json');
  // A number that cannot be counted on from would be every generation's that follows.
  const isCounted = Number.isSafeInteger(generation) && (generation as number) > 0;
  return isText && isCounted && [cause, at, file].every((text) => typeof text === 'string');
}

/** Puts a file in its place at once: whoever reads it sees the old content or the new, and so does a machine that lost its power. */
export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  await (await stageFile(path, text, mode)).commit();
}

/** Writes beside `path`; `commit` puts it in its place. Rejects with the system's error and leaves nothing. */
export async function stageFile(path: string, text: string, mode: number): Promise<Staged> {
  const staged = `${path}.${process.pid}.new`;
  try {
    const file = await open(staged, 'w', mode);
    try {
      // What the umask took.
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
  return {
    commit: () => rename(staged, path),
    discard: () => rm(staged, { force: true }),
  };
}
