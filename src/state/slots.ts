/** How many at once: slots of which each key has a number, with a line of bounded length and patience before them. */

export interface SlotRule {
  /** Slots of a key. */
  readonly max: number;
  /** How many may wait. */
  readonly queue: number;
  /** Milliseconds that one may wait. */
  readonly queueTimeout: number;
}

/** `granted` is to be released once; `full` and `timeout` are not. */
export type SlotOutcome = 'granted' | 'full' | 'timeout';

/** One wish for a slot. */
export interface SlotWish {
  /** At once, or when it is decided. */
  readonly outcome: SlotOutcome | Promise<SlotOutcome>;
  /** Gives back what was granted, or leaves the line. Calls after the first do nothing. */
  release(): void;
}

export interface Slots {
  wish(key: string, rule: SlotRule): SlotWish;
}
