/** Addresses to listen on or to connect to: a host and a port. */
import { normalizeIp } from './ip.ts';

export interface Address {
  /** A name or an address without brackets; empty for all interfaces. */
  host: string;
  /** 0 to 65535; 0 lets the system choose where listening allows it. */
  port: number;
}

/** Why a text is not an address. The message never quotes the text. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/**
 * An address to listen on: `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`, or `:8080` and `*:8080` for all interfaces.
 * Throws `AddressError`.
 */
export function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  if (colon === -1) throw new AddressError('needs a host and a port, such as 127.0.0.1:8080 or :8080');
  const port = parsePort(text.slice(colon + 1));
  const host = text.slice(0, colon);
  if (host === '' || host === '*') return { host: '', port };
  return { host: parseHost(host), port };
}

/** A host name or address as it stands in an address or a URL (IPv6 in brackets); lower case, without brackets. */
export function parseHost(text: string): string {
  if (text.startsWith('[')) {
    const inner = text.endsWith(']') ? normalizeIp(text.slice(1, -1)) : null;
    if (inner === null || !text.includes(':')) throw new AddressError('has a malformed IPv6 address in its brackets');
    return inner;
  }
  if (text.includes(':'))
    throw new AddressError('has too many colons: IPv6 addresses stand in brackets, as in [::1]:8080');
  const problem = hostNameProblem(text);
  if (problem !== null) throw new AddressError(problem);
  return text.toLowerCase();
}

/** A port from 0 to 65535. Throws `AddressError`. */
export function parsePort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new AddressError('has a malformed port: it is a number from 0 to 65535');
  }
  return Number(text);
}

/** `host:port`, with brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** True when only this machine can reach the address. Names other than `localhost` are never taken for loopback. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const ip = normalizeIp(host);
  return ip !== null && (ip === '::1' || /^127\./.test(ip));
}

/** What is wrong with a host name or IPv4 address, or null. Underscores are let pass: container networks use them. */
export function hostNameProblem(text: string): string | null {
  if (text === '') return 'has no host';
  if (text.length > 253) return 'has a host name of more than 253 characters';
  if (/[^\x21-\x7e]/.test(text))
    return 'has a host with spaces or letters beyond ASCII: write its punycode form (xn--...)';
  const labels = text.split('.');
  if (/^[0-9]+$/.test(labels[labels.length - 1])) {
    return normalizeIp(text) === null ? 'has a malformed IPv4 address' : null;
  }
  for (const label of labels) {
    if (!/^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label)) return 'has a malformed host name';
  }
  return null;
}
