/** The URL of an endpoint: a scheme, a host, a port, and nothing else yet. */
import { z } from 'zod';
import { AddressError, formatAddress, parseHost, parsePort } from '../base/address.ts';
import { refuse } from './scalar-schema.ts';

const SCHEMES = ['http', 'https', 'tcp'];

/** Schemes that people write for what another key says. */
const KINDRED: Readonly<Record<string, string>> = {
  ws: 'write http://, and `websocket` on the route',
  wss: 'write https://, and `websocket` on the route',
  grpc: 'write http://, and `protocol: grpc` on the service',
  grpcs: 'write https://, and `protocol: grpcs` on the service',
  h2c: 'write http://, and `protocol: h2c` on the service',
  h2: 'write https://, and `protocol: h2` on the service',
  tls: 'write tcp://, which relays TLS as it is',
};

/** The origin in normal form (`https://host` or `http://host:port`); throws `AddressError`, whose message quotes nothing. */
export function parseEndpointUrl(text: string): string {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(text);
  if (match === null) throw new AddressError('is not a URL such as http://127.0.0.1:9001');
  const [, , authority, rest] = match;
  const scheme = match[1].toLowerCase();
  if (Object.hasOwn(KINDRED, scheme))
    throw new AddressError(`has a scheme that endpoints cannot have: ${KINDRED[scheme]}`);
  if (!SCHEMES.includes(scheme)) {
    throw new AddressError('has a scheme that endpoints cannot have: http://, https:// and tcp:// are known');
  }
  if (authority.includes('@')) throw new AddressError('carries credentials, which an endpoint cannot');
  if (rest !== '' && rest !== '/') {
    throw new AddressError(
      'has a path, query or fragment: an endpoint is scheme, host and port; use `rewrite` for paths',
    );
  }
  const end = authority.lastIndexOf(':');
  const hasPort = end > authority.lastIndexOf(']');
  const host = parseHost(hasPort ? authority.slice(0, end) : authority);
  if (!hasPort && scheme === 'tcp') throw new AddressError('has no port, which a tcp:// endpoint needs');
  if (!hasPort) return host.includes(':') ? `${scheme}://[${host}]` : `${scheme}://${host}`;
  const port = parsePort(authority.slice(end + 1));
  if (port === 0) throw new AddressError('has port 0, to which nobody can connect');
  return `${scheme}://${formatAddress({ host, port })}`;
}

export const endpointUrlSchema = z.string().transform((text, context): string => {
  try {
    return parseEndpointUrl(text);
  } catch (error) {
    if (error instanceof AddressError) return refuse(context, error.message);
    throw error;
  }
});
