/** The request target (RFC 9112 section 3.2) and the host it names (RFC 9110 sections 4.2 and 7.2), taken apart strictly. */

import { parseIpv6 } from '../base/ip.ts';

export interface Target {
  /** `/...`, or `*` for OPTIONS. As received: not normalised. */
  path: string;
  /** What stands after `?`, without it. */
  query: string;
  /** True when a `?` was there, even with nothing after it. */
  hasQuery: boolean;
  /** The authority of an absolute form, which wins over Host; null for the other forms. */
  authority: string | null;
}

/**
 * Takes a target of origin, absolute or asterisk form apart. Null when it is none of these, or an asterisk without
 * OPTIONS. The characters were checked by the request parser.
 */
export function parseTarget(method: string, target: string, into: Target): boolean {
  into.authority = null;
  if (target.charCodeAt(0) === 47) {
    splitQuery(target, 0, into);
    return true;
  }
  if (target === '*') {
    into.path = '*';
    into.query = '';
    into.hasQuery = false;
    return method === 'OPTIONS';
  }
  const scheme = schemeLength(target);
  if (scheme === 0) return false;
  let end = scheme;
  while (end < target.length && target.charCodeAt(end) !== 47 && target.charCodeAt(end) !== 63) end++;
  into.authority = target.slice(scheme, end);
  if (!isAuthority(into.authority)) return false;
  splitQuery(target, end, into);
  // An empty path is "/", for OPTIONS the server itself (RFC 9112 section 3.2.4).
  if (into.path === '') into.path = method === 'OPTIONS' && !into.hasQuery ? '*' : '/';
  return true;
}

function schemeLength(target: string): number {
  const head = target.slice(0, 8).toLowerCase();
  if (head.startsWith('http://')) return 7;
  return head === 'https://' ? 8 : 0;
}

function splitQuery(target: string, start: number, into: Target): void {
  const mark = target.indexOf('?', start);
  into.hasQuery = mark >= 0;
  into.path = mark < 0 ? (start === 0 ? target : target.slice(start)) : target.slice(start, mark);
  into.query = mark < 0 ? '' : target.slice(mark + 1);
}

const ipv6Groups = new Uint16Array(8);
const HOST_CHARACTER = new Uint8Array(256);
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%') {
  HOST_CHARACTER[c.charCodeAt(0)] = 1;
}

/**
 * True for `host[:port]` with a registered name, an IPv4 address or an IPv6 literal in brackets. Sub-delimiters, which
 * RFC 3986 allows in names but no real name has, and user information are refused: they only serve to confuse parsers.
 */
export function isAuthority(text: string): boolean {
  let i = 0;
  if (text.charCodeAt(0) === 91) {
    i = text.indexOf(']') + 1;
    if (i < 4 || !parseIpv6(text.slice(1, i - 1), ipv6Groups)) return false;
  } else {
    while (i < text.length && HOST_CHARACTER[text.charCodeAt(i)] === 1) i++;
    if (i === 0 || !hasValidEscapes(text, i)) return false;
  }
  if (i === text.length) return true;
  if (text.charCodeAt(i) !== 58) return false;
  return isPort(text, i + 1);
}

function isPort(text: string, start: number): boolean {
  let port = 0;
  if (text.length - start > 5) return false;
  for (let i = start; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}

function hasValidEscapes(text: string, end: number): boolean {
  for (let i = text.indexOf('%'); i >= 0 && i < end; i = text.indexOf('%', i + 1)) {
    if (!/^%[2-7][0-9a-f]$/i.test(text.slice(i, i + 3))) return false;
  }
  return true;
}

/** The host of a checked authority as routes compare it: lower case, without port and final dot. */
export function hostOf(authority: string): string {
  let end = authority.length;
  if (authority.charCodeAt(0) === 91) end = authority.indexOf(']') + 1;
  else {
    const colon = authority.indexOf(':');
    if (colon >= 0) end = colon;
    if (end > 1 && authority.charCodeAt(end - 1) === 46) end--;
  }
  return authority.slice(0, end).toLowerCase();
}
