/** Objects that uses of policies share, in one generation and over a reload: made for the first, closed after the last. */
import type { Closeable } from './policy.ts';

interface Held {
  readonly object: Closeable;
  uses: number;
}

export class SharedObjects {
  private readonly held = new Map<string, Held>();

  /** The object of this key, made by `create` where there is none; to be released once by the same key. */
  take<T extends Closeable>(key: string, create: () => T): T {
    let held = this.held.get(key);
    if (held === undefined) {
      held = { object: create(), uses: 0 };
      this.held.set(key, held);
    }
    held.uses++;
    return held.object as T;
  }

  release(key: string): void {
    const held = this.held.get(key);
    if (held === undefined) return;
    held.uses--;
    if (held.uses > 0) return;
    this.held.delete(key);
    held.object.close?.();
  }

  get size(): number {
    return this.held.size;
  }
}
