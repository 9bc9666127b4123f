/** Waiting for events with a bound: conditions are looked at again whenever something happened, never by polling. */

import type { Socket } from 'node:net';

/** How long a test waits for anything before it fails, in milliseconds. */
export const PATIENCE = 20_000;

export class Signal {
  private readonly waiters = new Set<() => void>();

  /** Says that something happened. */
  notify(): void {
    for (const waiter of [...this.waiters]) waiter();
  }

  /** Resolves with the first value of `look` that is neither undefined nor false; `what` names it in the failure. */
  until<T>(look: () => T | undefined | false, what: string | (() => string), patience = PATIENCE): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.waiters.delete(again);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`waited ${patience} ms in vain for ${typeof what === 'string' ? what : what()}`));
      }, patience);
      const again = (): void => {
        const value = look();
        if (value === undefined || value === false) return;
        stop();
        resolve(value);
      };
      this.waiters.add(again);
      again();
    });
  }
}

/** Lets everything that is ready in the event loop happen, so that a piece just written is read on its own. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * What an `end` event of a socket means. A reset that arrives together with data is reported as a clean end; only the
 * peer's address, which a reset connection has no more, tells the two apart. Nobody may have asked for it before.
 */
export function endOf(socket: Socket): 'end' | 'reset' {
  // With our own side ended too, a proper end leaves no peer either.
  return socket.remoteAddress === undefined && !socket.writableEnded ? 'reset' : 'end';
}
