/** Watches configuration files, however they are changed: written in place, replaced by a rename, or behind a swapped link. */
import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { TimerHandle, Timers } from '../base/clock.ts';

export interface WatchOptions {
  timers: Timers;
  /** Quiet time after the last change before the callback, in milliseconds; 100 by default. */
  debounce?: number;
  /** Time between looks when the system tells nothing (network file systems), in milliseconds; 5000 by default. */
  poll?: number;
}

export interface FileWatch {
  /** Watches these files from now on, in place of the former ones. */
  update(files: readonly string[]): void;
  /** Ends watching; no callback comes after it. */
  close(): void;
}

/** Calls back once after each burst of changes that made one of the files different. A file may be missing for a while. */
export function watchFiles(files: readonly string[], onChange: () => void, options: WatchOptions): FileWatch {
  const watcher = new FileWatcher(onChange, options);
  watcher.update(files);
  return watcher;
}

const maxPostponed = 20;

class FileWatcher implements FileWatch {
  private readonly onChange: () => void;
  private readonly timers: Timers;
  private readonly debounce: number;
  private readonly poll: number;
  private readonly directories = new Map<string, FSWatcher>();
  private files: readonly string[] = [];
  private version = 0;
  private postponed = 0;
  private seen: string | null = null;
  /** One of the files was changed before it was seen: what it was is not known. */
  private early = false;
  private debouncing: TimerHandle | null = null;
  private polling: TimerHandle | null = null;
  private looking = false;
  private lookAgain = false;
  private closed = false;

  constructor(onChange: () => void, { timers, debounce = 100, poll = 5000 }: WatchOptions) {
    this.onChange = onChange;
    this.timers = timers;
    this.debounce = debounce;
    this.poll = poll;
  }

  update(files: readonly string[]): void {
    this.files = [...new Set(files)];
    this.seen = null;
    this.early = false;
    this.version += 1;
    // Before the first look is done: a change in between would else go unseen.
    this.watchDirectories(this.files.map((file) => dirname(file)));
    this.look();
  }

  close(): void {
    this.closed = true;
    for (const watcher of this.directories.values()) watcher.close();
    this.directories.clear();
    if (this.debouncing !== null) this.timers.clearTimeout(this.debouncing);
    if (this.polling !== null) this.timers.clearTimeout(this.polling);
  }

  /** Whether an event of this name in a directory may be about one of the files, or about a link on the way to it. */
  private isAbout(name: string | null): boolean {
    return name === null || name.startsWith('..') || this.files.some((file) => basename(file) === name);
  }

  private onEvent(name: string | null): void {
    if (this.closed) return;
    if (this.seen === null && this.isAbout(name)) this.early = true;
    if (this.debouncing !== null) {
      // A directory that is never quiet, since logs are written there too, must not put the look off for ever.
      if (this.postponed >= maxPostponed) return;
      this.postponed += 1;
      this.timers.clearTimeout(this.debouncing);
    }
    this.debouncing = this.timers.setTimeout(() => {
      this.debouncing = null;
      this.postponed = 0;
      this.look();
    }, this.debounce);
  }

  /** Compares the files with what was seen last, one look at a time. */
  private look(): void {
    if (this.looking) {
      this.lookAgain = true;
      return;
    }
    this.looking = true;
    const version = this.version;
    void this.inspect().then((state) => {
      this.looking = false;
      if (this.closed) return;
      // Of the files watched before an `update` nothing is learned.
      const changed = version === this.version && (this.seen === null ? this.early : state !== this.seen);
      if (version === this.version) {
        this.seen = state;
        this.early = false;
      }
      this.schedulePoll();
      if (changed) this.onChange();
      if (!this.lookAgain || this.closed) return;
      this.lookAgain = false;
      this.look();
    });
  }

  private schedulePoll(): void {
    if (this.polling !== null) this.timers.clearTimeout(this.polling);
    this.polling = this.timers.setTimeout(() => {
      this.polling = null;
      this.look();
    }, this.poll);
  }

  private async inspect(): Promise<string> {
    const files = this.files;
    const states = await Promise.all(files.map(stateOf));
    if (this.closed) return '';
    // A link's target stands in another directory (`..data` of a mounted ConfigMap), which changes with every swap.
    this.watchDirectories([
      ...files.map((file) => dirname(file)),
      ...states.flatMap(({ real }) => (real === null ? [] : [dirname(real)])),
    ]);
    return JSON.stringify(states);
  }

  private watchDirectories(wanted: readonly string[]): void {
    for (const [directory, watcher] of this.directories) {
      if (wanted.includes(directory)) continue;
      watcher.close();
      this.directories.delete(directory);
    }
    for (const directory of wanted) {
      if (this.directories.has(directory)) continue;
      try {
        // Directories, not files: a rename replaces the file, and a watch on it would stay with the old one.
        const watcher = watch(directory, { persistent: false }, (_, name) => this.onEvent(name));
        watcher.on('error', () => this.forget(directory));
        this.directories.set(directory, watcher);
      } catch {
        // Not there, or no watches left: polling finds the change later.
      }
    }
  }

  private forget(directory: string): void {
    this.directories.get(directory)?.close();
    this.directories.delete(directory);
  }
}

async function stateOf(file: string): Promise<{ real: string | null; state: string }> {
  try {
    const real = await realpath(file);
    const { mtimeNs, ctimeNs, size, ino, dev } = await stat(real, { bigint: true });
    return { real, state: `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}` };
  } catch {
    return { real: null, state: 'missing' };
  }
}
