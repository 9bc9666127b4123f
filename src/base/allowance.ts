/** How many of something one process may have at once, where a limit may be shared with others. */

export interface Allowance {
  /** As many may be in use here now. */
  readonly granted: number;
  /** Asks for one more than that. `then` is told, at once or later, whether `granted` has grown. */
  ask(then: (grown: boolean) => void): void;
}

/** A limit that one process has for itself. */
export class OwnAllowance implements Allowance {
  granted: number;

  constructor(limit: number) {
    this.granted = limit;
  }

  ask(then: (grown: boolean) => void): void {
    then(false);
  }
}
