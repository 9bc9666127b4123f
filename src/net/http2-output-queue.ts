/** Those that have something to send on an HTTP/2 connection, and no room for it: each has its turn when there is some. */

// What became of one that was to send.
/** It waits no more. */
export const PUMPED = 0;
/** It has sent a frame, and would send more. */
export const PUMPING = 1;
/** There is no room for it. */
export const BLOCKED = 2;

export interface Pumped {
  /** Sends one frame of what waits, if there is room; answers one of the constants above. */
  pump(): number;
}

export class Http2OutputQueue {
  private readonly waiting = new Set<Pumped>();

  add(one: Pumped): void {
    this.waiting.add(one);
  }

  delete(one: Pumped): void {
    if (this.waiting.size > 0) this.waiting.delete(one);
  }

  /** There is room for this one. */
  pump(one: Pumped): void {
    if (!this.waiting.delete(one)) return;
    let outcome = PUMPING;
    while (outcome === PUMPING) outcome = one.pump();
    if (outcome === BLOCKED) this.waiting.add(one);
  }

  /** There is room for all of them: a frame of each, again and again, as long as there is. */
  pumpAll(): void {
    let again = this.waiting.size > 0;
    while (again) {
      again = false;
      for (const one of [...this.waiting]) {
        // It may be gone for what another one did.
        if (!this.waiting.delete(one)) continue;
        const outcome = one.pump();
        if (outcome !== PUMPED) this.waiting.add(one);
        if (outcome === PUMPING) again = true;
      }
    }
  }
}
