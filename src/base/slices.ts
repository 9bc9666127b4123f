/** Long work in short slices, so that a process that serves requests meanwhile keeps none of them waiting. */

/** Work that stops now and then, at points from which it may go on later. Each step is to be short: well under a millisecond. */
export type Steps<T> = Generator<void, T, void>;

/** Milliseconds of work after which others have their turn. */
const SLICE = 2;

/** Does the work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Does the work in slices; between two of them everything that is ready on sockets is seen to. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  let end = performance.now() + SLICE;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < end) continue;
    await nextTurn();
    end = performance.now() + SLICE;
  }
}

/** Settles when everything that is ready on sockets has been seen to. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
