/** A request that is only told of: the head that a client would send for it, and the listener at which it would arrive. */
import type { GatewayConfig, ListenerConfig } from '../config/model.ts';

export interface ExplainRequest {
  readonly method: string;
  /** Absolute, or a path for which the host is `localhost`. `ws://` and `wss://` stand for the handshake of a WebSocket. */
  readonly url: string;
  /** `name: value` lines. */
  readonly headers: readonly string[];
  readonly clientAddress?: string;
}

const ORIGIN = /^(https?|wss?):\/\/([^/?#]*)/i;

/** What a client adds for a WebSocket, unless it is given. */
const HANDSHAKE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

/** The request as a client of HTTP/1.1 writes it. */
export function headOf({ method, url, headers }: ExplainRequest): string {
  const [whole = '', scheme = '', authority = ''] = ORIGIN.exec(url) ?? [];
  const isRelative = whole === '';
  const target = isRelative ? url : url.slice(whole.length).replace(/^(?!\/)/, '/');
  const given = new Set(headers.map((line) => nameOf(line)));
  const added = [`Host: ${isRelative ? 'localhost' : authority}`, ...(/^ws/i.test(scheme) ? HANDSHAKE : [])];
  const lines = [...added.filter((line) => !given.has(nameOf(line))), ...headers];
  return `${method} ${target.replace(/#.*$/, '')} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
}

function nameOf(line: string): string {
  return line
    .slice(0, Math.max(0, line.indexOf(':')))
    .trimEnd()
    .toLowerCase();
}

/**
 * Where a request for this URL would come in: a listener of its scheme and port; else, since ports and TLS may be the
 * business of what stands in front, one of its port, one of its scheme, the first one that serves requests.
 */
export function listenerFor({ listeners }: GatewayConfig, { url }: ExplainRequest): ListenerConfig {
  const serving = listeners.filter(({ mode }) => mode === 'http');
  const [, scheme, authority = ''] = ORIGIN.exec(url) ?? [];
  if (scheme === undefined) return serving.at(0) ?? listeners[0];
  const isSecure = /s$/i.test(scheme);
  const port = Number(/:(\d+)$/.exec(authority)?.[1] ?? (isSecure ? 443 : 80));
  const ofPort = serving.filter(({ address }) => address.port === port);
  const ofScheme = (listener: ListenerConfig) => (listener.tls !== undefined) === isSecure;
  return ofPort.find(ofScheme) ?? ofPort.at(0) ?? serving.find(ofScheme) ?? serving.at(0) ?? listeners[0];
}
