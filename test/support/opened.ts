/** What tests open and leave behind: closed after each of them, whether it passed or not. */
import { afterEach } from 'vitest';

export interface Closable {
  close(): unknown;
}

/** A list for one file of tests; what stands in it is closed after each test, the last one first. */
export function closedAfterEach(): Closable[] {
  const opened: Closable[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });
  return opened;
}
