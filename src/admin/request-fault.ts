/** What is wrong with a value that a client of the admin listener sent, in one line. */
import type { z } from 'zod';

/** Faults told of one value; more would not be read. */
const MOST = 10;

/** Each fault with the place it is at; never the value, which may be a secret. */
export function faultsOf(error: z.ZodError): string {
  const faults = error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  const more = faults.length > MOST ? [`and ${faults.length - MOST} more`] : [];
  return [...faults.slice(0, MOST), ...more].join('; ').replace(/\.$/, '');
}
