/** Who calls: what an authentication found out, in one shape whatever the credential was. */
import { fieldLine } from '../http/header-edits.ts';

export interface Identity {
  /** The policy that found it: `jwt`, `apiKey`, ... */
  readonly kind: string;
  /** Who it is: the subject of a token, the name of a user; `''` where the credential names nobody. */
  readonly subject: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  /** What else the credential says, by name. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** The consumer on whose account it is; null where there is none. */
  readonly consumer: string | null;
  /** The tier by which it is limited; null where the credential says nothing of that. */
  readonly tier: string | null;
  /** What tells this credential from others of the same subject, for the audit trail: the id of a key or a token; never a secret. */
  readonly credential: string;
  /** The lines by which the upstream is told, each with its line end. */
  readonly lines: string;
}

/** Header names by which an upstream is told who calls, with the value of each; without a value there is no such header. */
export type ForwardedIdentity = Readonly<Record<string, string | undefined>>;

/** What `createIdentity` is told; what is missing is empty. */
export interface IdentityFacts extends Partial<Omit<Identity, 'lines'>> {
  readonly kind: string;
  /** Lines beside the usual four, or in their place where the name is the same. */
  readonly forward?: ForwardedIdentity;
}

const NOTHING: readonly string[] = [];

const SPACE = 0x20;

/** What a header may not hold (RFC 9110 section 5.5), and what is beyond one byte. */
const UNSAFE = /[\u0000-\u001f\u007f-\uffff]/g;

/** An identity with the lines for the upstream: `X-User-ID`, `X-User-Roles`, `X-Consumer-Name`, `X-Consumer-Tier`. */
export function createIdentity(facts: IdentityFacts): Identity {
  const { kind, subject = '', roles = NOTHING, scopes = NOTHING, claims = {}, forward = {} } = facts;
  const { consumer = null, tier = null, credential = '' } = facts;
  const values = new Map<string, [name: string, value: string]>();
  const tell = (name: string, value: string | null | undefined): void => {
    if (value !== null && value !== undefined && value !== '') values.set(name.toLowerCase(), [name, value]);
  };
  tell('X-User-ID', subject);
  tell('X-User-Roles', roles.join(','));
  tell('X-Consumer-Name', consumer);
  tell('X-Consumer-Tier', tier);
  for (const [name, value] of Object.entries(forward)) {
    // Also where there is no value: upstreams would take the usual one for what was asked for.
    values.delete(name.toLowerCase());
    tell(name, value);
  }
  let lines = '';
  for (const [name, value] of values.values()) lines += fieldLine(name, headerSafe(value));
  return { kind, subject, roles, scopes, claims, consumer, tier, credential, lines };
}

/**
 * Text of a credential as a field value: what no field can hold is percent-encoded as UTF-8, `%` itself is kept. So are spaces
 * at either end, which readers of fields leave out (RFC 9110 section 5.5): ` admin` is not `admin`.
 */
export function headerSafe(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) === SPACE) start++;
  while (end > start && text.charCodeAt(end - 1) === SPACE) end--;
  return '%20'.repeat(start) + encoded(text.slice(start, end)) + '%20'.repeat(text.length - end);
}

function encoded(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    // Half of a pair of surrogates cannot be encoded alone: a question mark tells that something stood there.
    if (code >= 0xd800 && code <= 0xdfff) return '?';
    return encodeURIComponent(char);
  });
}

/** True where the identity holds a permission such as `orders:read` by its scopes; `*` stands for any part. */
export function grants(granted: string, wanted: string): boolean {
  if (granted === wanted || granted === '*') return true;
  if (!granted.includes('*')) return false;
  const have = granted.split(':');
  const want = wanted.split(':');
  if (have.length !== want.length) return false;
  for (let i = 0; i < have.length; i++) if (have[i] !== '*' && have[i] !== want[i]) return false;
  return true;
}
