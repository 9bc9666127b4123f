/** How a health check speaks to an endpoint: with TLS or without, and as the service says. */
import type { ConnectionOptions } from 'node:tls';
import type { Endpoint } from '../endpoint.ts';
import type { ProbeWire } from './active-check.ts';

const SECURE: ReadonlySet<ProbeWire['protocol']> = new Set(['https', 'h2', 'grpcs']);
const HTTP2: ReadonlySet<ProbeWire['protocol']> = new Set(['h2', 'h2c', 'grpc', 'grpcs']);

/** An `https://` endpoint is spoken to under TLS whatever the protocol is. */
export function isSecure(endpoint: Endpoint, { protocol }: ProbeWire): boolean {
  return SECURE.has(protocol) || endpoint.url.startsWith('https:');
}

/** True where HTTP/1.1 may not be understood. */
export function speaksHttp2({ protocol }: ProbeWire): boolean {
  return HTTP2.has(protocol);
}

export function tlsOptions({ tls }: ProbeWire): ConnectionOptions {
  if (tls === undefined) return {};
  const options: ConnectionOptions = { minVersion: tls.minVersion, rejectUnauthorized: tls.verify };
  if (tls.ca !== undefined) options.ca = tls.ca;
  if (tls.cert !== undefined) options.cert = tls.cert;
  if (tls.key !== undefined) options.key = tls.key;
  if (tls.serverName !== undefined) options.servername = tls.serverName;
  return options;
}
