/** The schema of an address that the gateway itself calls. */
import { z } from 'zod';

/** An `http` or `https` URL without credentials, which would stand in logs, and without a fragment, which no server is sent. */
export const callUrlSchema = z
  .string()
  .max(2048)
  .check((context) => {
    const problem = problemOf(context.value);
    if (problem !== null) context.issues.push({ code: 'custom', input: context.value, message: problem });
  })
  .meta({ kind: 'URL' });

function problemOf(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return 'expected a URL such as https://auth.example.com/check';
  }
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or a password';
  return url.hash === '' ? null : 'must not have a fragment: no server is sent it';
}

/** The URL as people may see it: what stands in its query may be a secret. */
export function shownUrl(text: string): string {
  const { origin, pathname } = new URL(text);
  return origin + pathname;
}
