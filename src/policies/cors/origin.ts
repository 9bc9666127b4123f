/** Origins (RFC 6454) as operators write them: one, all below a domain, a pattern, `null`, or every one. */
import { type Pattern, parsePattern } from '../../base/pattern.ts';

/** One entry of `origins`, sound and normalised. */
export type OriginRule = string | { regex: string };

/** The longest origin that is looked at, in characters: a scheme and the longest host and port have far fewer. */
const LONGEST = 1024;

const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/(\*\.)?(\[[0-9a-f:.]+\]|[^\s/?#@:[\]*,\\]+)(:[0-9]{1,5})?$/i;

/** The entry as browsers send it, or why there is no such origin. */
export function parseOrigin(text: string): { origin: string } | { problem: string } {
  if (text === '*' || text === 'null') return { origin: text };
  const match = ORIGIN.exec(text);
  if (match === null) return { problem: problemOf(text) };
  const [, scheme, wildcard = '', host, port = ''] = match;
  const web = /^(?:https?|wss?)$/i.test(scheme);
  if (wildcard !== '' && host.startsWith('[')) return { problem: 'has a wildcard before an address' };
  const whole = `${scheme}://${host}${port}`;
  if (!URL.canParse(whole)) return { problem: 'is not an origin: its host or port is malformed' };
  // A default port is never sent, a host is sent in lower case and ASCII; of schemes that it does not know `URL` tells no origin.
  const plain = web ? new URL(whole).origin : whole.toLowerCase();
  return { origin: wildcard === '' ? plain : plain.replace('://', '://*.') };
}

function problemOf(text: string): string {
  if (!text.includes('://')) return 'is not an origin: it has no scheme, as in https://app.example.com';
  const rest = text.slice(text.indexOf('://') + 3);
  if (/^[^/]*\/$/.test(rest)) return 'has a slash at its end, which no origin has';
  if (rest.includes('/')) return 'has a path: an origin is scheme, host and port only';
  if (/[?#]/.test(rest)) return 'has a query or fragment: an origin is scheme, host and port only';
  if (rest.includes('@')) return 'has a user: an origin is scheme, host and port only';
  if (rest.includes('*')) return 'has a `*` that is not its whole first label, as in https://*.example.com';
  return 'is not an origin: scheme, host and port, as in https://app.example.com:8443';
}

/** Which origins are allowed. */
export class Origins {
  /** Every one is, and the answer is the same for all. */
  readonly every: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #below: readonly { readonly scheme: string; readonly domain: string }[];
  readonly #patterns: readonly Pattern[];

  /** Throws `PatternError` for a pattern that config should have refused. */
  constructor(rules: readonly OriginRule[]) {
    const texts = rules.filter((rule) => typeof rule === 'string');
    this.every = texts.includes('*');
    this.#exact = new Set(texts.filter((text) => !text.includes('://*.')));
    this.#below = texts
      .filter((text) => text.includes('://*.'))
      .map((text) => {
        const star = text.indexOf('*');
        return { scheme: text.slice(0, star), domain: text.slice(star + 1) };
      });
    // The whole origin must match: what is found in the middle of one is under anybody's domain.
    this.#patterns = rules.flatMap((rule) => (typeof rule === 'string' ? [] : [parsePattern(`^(?:${rule.regex})$`)]));
  }

  allows(origin: string): boolean {
    if (this.every || this.#exact.has(origin)) return true;
    // Who has none of its own (a file, a sandboxed frame) is allowed by name only.
    if (origin === 'null' || origin.length > LONGEST) return false;
    for (const { scheme, domain } of this.#below) if (isBelow(origin, scheme, domain)) return true;
    for (const pattern of this.#patterns) if (pattern.test(origin)) return true;
    return false;
  }
}

/** `scheme` ends with `://`, `domain` begins with a dot and has the port. */
function isBelow(origin: string, scheme: string, domain: string): boolean {
  const end = origin.length - domain.length;
  if (end <= scheme.length || !origin.startsWith(scheme) || !origin.endsWith(domain)) return false;
  for (let at = scheme.length; at < end; at++) if (!isHostByte(origin.charCodeAt(at))) return false;
  return true;
}

/** Letters (small ones: browsers send no others), digits, hyphens, underscores and dots. */
function isHostByte(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45 || code === 46 || code === 95;
}
