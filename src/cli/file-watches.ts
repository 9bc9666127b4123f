/** What makes a running gateway read files anew: signals, and files that change. Certificates are always watched, the rest on request. */
import type { Timers } from '../base/clock.ts';
import { type FileWatch, watchFiles } from '../config/watch.ts';
import type { ConfigControl } from '../control/config-control.ts';

/** A pair is two files: the second may be a moment behind the first. In milliseconds. */
const PAIR_DEBOUNCE = 300;

export interface FileWatchesDeps {
  readonly timers: Timers;
  /** Whether the configuration's own files are watched too. */
  readonly watchConfig: boolean;
}

export class FileWatches {
  private readonly deps: FileWatchesDeps;
  private control: Pick<ConfigControl, 'reload' | 'renew'> | null = null;
  /** What the newest load read, certificates included. */
  private read: readonly string[] = [];
  /** Certificates, keys and authorities of what runs. */
  private tls: readonly string[] = [];
  private readonly watches: { config: Watched | null; tls: Watched | null } = { config: null, tls: null };
  private wanted: string | null = null;
  private stale = false;
  private refused = false;
  private busy = false;
  private closed = false;

  constructor(deps: FileWatchesDeps) {
    this.deps = deps;
  }

  /** Hears which files the newest load read: the next one may read others. */
  onFiles(files: readonly string[]): void {
    this.read = files;
    this.watch();
  }

  /** Hears which certificates, keys and authorities what runs is made of. */
  onTlsFiles(files: readonly string[]): void {
    this.tls = files;
    this.watch();
  }

  /** From now on changes are followed, those that were seen before among them. */
  begin(control: Pick<ConfigControl, 'reload' | 'renew'>): void {
    this.control = control;
    this.run();
  }

  close(): void {
    this.closed = true;
    this.watches.config?.watch.close();
    this.watches.tls?.watch.close();
  }

  /** One reload at a time; what comes meanwhile makes one more after it. */
  reload(cause: string): void {
    this.wanted = cause;
    this.run();
  }

  private watch(): void {
    if (this.closed) return;
    const { watches, deps } = this;
    const { timers } = deps;
    watches.tls = follow(watches.tls, this.tls, () => this.renew(), { timers, debounce: PAIR_DEBOUNCE });
    if (!deps.watchConfig) return;
    // A change of a certificate is one change, whoever sees it.
    const others = this.read.filter((file) => !this.tls.includes(file));
    watches.config = follow(watches.config, others, () => this.reload('file'), { timers });
  }

  private renew(): void {
    this.stale = true;
    this.run();
  }

  private run(): void {
    if (this.busy || this.control === null) return;
    this.busy = true;
    void this.work().then(() => {
      this.busy = false;
    });
  }

  private async work(): Promise<void> {
    for (;;) {
      const { control, wanted, stale } = this;
      if (control === null || this.closed) return;
      if (wanted !== null) {
        this.wanted = null;
        this.refused = (await control.reload(wanted)).result === 'failure';
      } else if (stale) {
        this.stale = false;
        await control.renew('certificate');
        // What runs is mended; a newer text may have been refused for what stood in the same files.
        if (this.deps.watchConfig && this.refused) this.wanted = 'file';
      } else return;
    }
  }
}

interface Watched {
  readonly watch: FileWatch;
  readonly files: string;
}

function follow(
  former: Watched | null,
  wanted: readonly string[],
  onChange: () => void,
  options: Parameters<typeof watchFiles>[2],
): Watched | null {
  const files = wanted.join('\n');
  if (former?.files === files || (former === null && wanted.length === 0)) return former;
  if (former === null) return { watch: watchFiles(wanted, onChange, options), files };
  former.watch.update(wanted);
  return { watch: former.watch, files };
}
