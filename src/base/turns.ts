/** Work that must not overlap: each piece begins when the one before it has ended, however it ended. */

export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Does `work` when its turn has come; answers, or rejects, as it does. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work);
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
