/** Keeps web pages of others away from the admin listener: by the host the browser meant, and by where the page came from. */
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../base/address.ts';
import { normalizeIp } from '../base/ip.ts';

/**
 * True when the authority of a request is this machine's: a loopback name or address, the address the connection came in
 * on, or one of `own` (lower case). A page that had its own name point here (DNS rebinding) carries that name instead.
 * The port is not compared: port forwarding changes it.
 */
export function isOwnAuthority(authority: string, own: readonly string[], localAddress: string): boolean {
  const host = hostOf(authority);
  if (host === null) return false;
  if (isLoopback(host) || own.includes(host)) return true;
  const ip = normalizeIp(host);
  return ip !== null && ip === normalizeIp(localAddress);
}

/** True for the `Origin` of a page that this listener itself served (RFC 6454); `null` is nobody's. */
export function isOwnOrigin(origin: string, authority: string): boolean {
  const page = URL.canParse(origin) ? new URL(origin) : null;
  if (page === null || (page.protocol !== 'http:' && page.protocol !== 'https:')) return false;
  const here = `${page.protocol}//${authority}`;
  return URL.canParse(here) && new URL(here).host === page.host;
}

/**
 * True when a browser says that a page of somebody else wants to change something. What it only wants to look at it cannot
 * read, and following a link to what this listener shows is no attack.
 */
export function isForeignPage({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

/** The host of `host[:port]`, in lower case, without brackets and without the dot that may end a name. */
function hostOf(authority: string): string | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]@/?#\s]+))(?::[0-9]{0,5})?$/.exec(authority);
  if (match === null) return null;
  return (match[1] ?? match[2]).toLowerCase().replace(/\.$/, '');
}
