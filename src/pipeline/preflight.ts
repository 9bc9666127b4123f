/** What makes a request a CORS preflight, by which a browser asks whether a page may send another one. */
import { isToken } from '../base/token.ts';

/** What is looked at. */
export interface PreflightFields {
  readonly method: string;
  /** A request field by its lower-case name. */
  header(lowerName: string): string | undefined;
}

/** The method that a preflight asks for (Fetch standard, "CORS-preflight request"); null for every other request. */
export function preflightMethod(request: PreflightFields): string | null {
  if (request.method !== 'OPTIONS' || request.header('origin') === undefined) return null;
  const method = request.header('access-control-request-method');
  return method !== undefined && isToken(method) ? method : null;
}
