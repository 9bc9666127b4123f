/** Where a Redis or Valkey server is, as its URL says. */
import { AddressError, formatAddress, parseHost, parsePort } from './address.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Null for the server's default user. */
  readonly username: string | null;
  readonly password: string | null;
  /** Number of the database; 0 in a cluster. */
  readonly database: number;
}

const DEFAULT_PORT = 6379;

/**
 * `redis://[[user][:password]@]host[:port][/database]`, or `rediss://` for TLS; user and password may be percent-encoded.
 * Throws `AddressError`, whose message never quotes the URL: it may hold a password.
 */
export function parseRedisAddress(url: string): RedisAddress {
  const parts = /^(rediss?):\/\/(?:([^@/\s]*)@)?(\[[^\]/\s]*\]|[^:/?#@[\s]+)(?::([^/?#\s]*))?(?:\/([^?#\s]*))?$/.exec(
    url,
  );
  if (parts === null) {
    throw new AddressError('must be a URL such as redis://host:6379, or rediss:// for TLS, without a query');
  }
  const [, scheme, credentials, host, port, database = ''] = parts;
  const parsedPort = port === undefined ? DEFAULT_PORT : parsePort(port);
  if (parsedPort === 0) throw new AddressError('has the port 0, where nothing can listen');
  return {
    host: parseHost(host),
    port: parsedPort,
    tls: scheme === 'rediss',
    ...parseCredentials(credentials),
    database: parseDatabase(database),
  };
}

/** The nodes of a cluster, one at least. Throws `AddressError` where they cannot be of one cluster. */
export function parseRedisCluster(urls: readonly string[]): RedisAddress[] {
  const nodes = urls.map(parseRedisAddress);
  for (const { tls, database, username, password } of nodes) {
    if (database !== 0) throw new AddressError('names a database, and a cluster has only database 0');
    if (tls !== nodes[0].tls)
      throw new AddressError('has nodes with TLS and nodes without: all of a cluster are alike');
    if (username !== nodes[0].username || password !== nodes[0].password) {
      throw new AddressError('has nodes with different users or passwords: all of a cluster are alike');
    }
  }
  return nodes;
}

/** `host:port`, for the log. */
export function formatRedisAddress(address: RedisAddress): string {
  return formatAddress(address);
}

function parseCredentials(text: string | undefined): Pick<RedisAddress, 'username' | 'password'> {
  if (text === undefined) return { username: null, password: null };
  const colon = text.indexOf(':');
  try {
    const username = decodeURIComponent(colon === -1 ? text : text.slice(0, colon));
    const password = colon === -1 ? null : decodeURIComponent(text.slice(colon + 1));
    return { username: username === '' ? null : username, password: password === '' ? null : password };
  } catch {
    throw new AddressError('has a malformed percent-encoding before the @');
  }
}

function parseDatabase(text: string): number {
  if (text === '') return 0;
  if (!/^[0-9]{1,5}$/.test(text)) throw new AddressError('has a malformed database: it is a number such as /1');
  return Number(text);
}
