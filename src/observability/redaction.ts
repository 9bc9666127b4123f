/** What a log must never show: values of named headers, query parameters and cookies. */

export const REDACTED = '[redacted]';

/** Redacted whatever the configuration says: these exist only to carry a secret. */
const ALWAYS = ['authorization', 'proxy-authorization', 'access_token'];

/** Hides the values of named headers, query parameters and cookies; names are compared without regard to case. */
export class Redaction {
  private readonly names: ReadonlySet<string>;

  constructor(names: readonly string[]) {
    this.names = new Set([...ALWAYS, ...names.map((name) => name.toLowerCase())]);
  }

  /** True when the header of this name is hidden wholly. */
  hides(name: string): boolean {
    return this.names.has(name.toLowerCase());
  }

  /** The value of a header as it may be logged: hidden, or with the secrets within a cookie list or URL hidden. */
  header(name: string, value: string): string {
    if (this.hides(name)) return REDACTED;
    const lower = name.toLowerCase();
    if (lower === 'cookie') return this.pairs(value, ';');
    return lower === 'referer' ? this.url(value) : value;
  }

  /** A query without `?`, with the values of named parameters hidden. */
  query(query: string): string {
    return query.indexOf('=') < 0 ? query : this.pairs(query, '&');
  }

  /** A URL or request target with the values of named parameters hidden. */
  url(url: string): string {
    const mark = url.indexOf('?');
    if (mark < 0) return url;
    const hash = url.indexOf('#', mark);
    const end = hash < 0 ? url.length : hash;
    return url.slice(0, mark + 1) + this.query(url.slice(mark + 1, end)) + url.slice(end);
  }

  /** Copies only from the first hidden value on; most lists have none. */
  private pairs(list: string, separator: string): string {
    let result = '';
    let copied = 0;
    let start = 0;
    while (start < list.length) {
      let end = list.indexOf(separator, start);
      if (end < 0) end = list.length;
      const equals = list.indexOf('=', start);
      if (equals < 0) break;
      if (equals < end && this.names.has(pairName(list.slice(start, equals)))) {
        result += list.slice(copied, equals + 1) + REDACTED;
        copied = end;
      }
      start = end + 1;
    }
    return copied === 0 ? list : result + list.slice(copied);
  }
}

/** A parameter's name as the upstream will read it: an encoded letter must not let a secret pass. */
function pairName(raw: string): string {
  let name = raw.trim();
  if (name.indexOf('%') >= 0) name = name.replace(/%([0-9a-fA-F]{2})/g, decodeByte);
  return name.toLowerCase();
}

function decodeByte(_match: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
