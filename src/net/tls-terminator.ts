/** Ends TLS on accepted sockets: handshakes with the certificate that the client's SNI asks for, and no longer than they may take. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import { sniNames } from '../base/certificate.ts';
import { addressOf } from './peer.ts';

export interface TlsOptions {
  /** Of the listener. A session is gone on with only where it began, and while the same authorities are believed. */
  readonly name: string;
  /** PEM texts; the first is for clients that ask for no name, or for one that none has. */
  readonly certificates: readonly { readonly cert: string; readonly key: string }[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Authorities in PEM, and whether a client without a certificate is refused. */
  readonly clientCertificates: { readonly ca: string; readonly required: boolean } | null;
  /** Milliseconds. */
  readonly handshakeTimeout: number;
  readonly sessionTimeout: number;
  /** What ALPN may choose, the preferred first. */
  readonly protocols: readonly string[];
}

export interface TlsEvents {
  /** The handshake is over; `socket` is paused. */
  onSecure(socket: TLSSocket): void;
  /** It failed, or the client's certificate is not to be believed. The connection is gone. */
  onFailed(remoteAddress: string, reason: string): void;
}

export class TlsTerminator {
  private readonly server: Server;
  private readonly names: ReadonlyMap<string, SecureContext>;

  /** Throws what OpenSSL says of certificates and keys that it cannot use. */
  constructor(options: TlsOptions, events: TlsEvents) {
    const { certificates, clientCertificates, handshakeTimeout, minVersion, protocols, sessionTimeout } = options;
    const shared = {
      minVersion,
      sessionTimeout: Math.ceil(sessionTimeout / 1000),
      sessionIdContext: sessionContextOf(options),
      // A context knows whose certificates to ask for only by itself.
      ...(clientCertificates === null ? {} : { ca: clientCertificates.ca }),
    };
    const contexts = certificates.map(({ cert, key }) => createSecureContext({ cert, key, ...shared }));
    this.names = namesOf(certificates, contexts);
    this.server = createServer({
      ...shared,
      cert: certificates[0].cert,
      key: certificates[0].key,
      handshakeTimeout,
      ALPNProtocols: [...protocols],
      SNICallback: (name, callback) => callback(null, this.contextFor(name) ?? contexts[0]),
      requestCert: clientCertificates !== null,
      rejectUnauthorized: clientCertificates?.required === true,
      pauseOnConnect: true,
      allowHalfOpen: true,
      noDelay: true,
    } as Parameters<typeof createServer>[0]);
    this.server.on('secureConnection', (socket) => {
      const fault = clientCertificates === null || isResumedOrEmpty(socket) ? null : socket.authorizationError;
      if (!fault) return events.onSecure(socket);
      const address = addressOf(socket);
      socket.destroy();
      events.onFailed(address, `the client's certificate: ${String(fault)}`);
    });
    this.server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const address = addressOf(socket);
      socket.destroy();
      const { authorizationError } = socket;
      // Where a certificate is required, a wrong one ends the connection before anybody is told why.
      const reason = authorizationError ? `the client's certificate: ${String(authorizationError)}` : reasonOf(error);
      events.onFailed(address, reason);
    });
  }

  /** Takes a socket from which nothing has been read, or whose unread bytes were put back. */
  accept(socket: Socket): void {
    this.server.emit('connection', socket);
  }

  /** From now on tickets are sealed and opened by these 48 bytes alone; until the first call, by some of its own. */
  sealTickets(keys: Buffer): void {
    // Also of a name that has a context of its own: OpenSSL asks the one with which the connection began.
    this.server.setTicketKeys(keys);
  }

  /** For one that takes no more connections: those that it has may keep it for long, and are not to keep the keys. */
  forgetTickets(): void {
    this.sealTickets(randomBytes(48));
  }

  private contextFor(name: string): SecureContext | undefined {
    const lower = name.toLowerCase();
    return this.names.get(lower) ?? this.names.get(`*${lower.slice(Math.max(0, lower.indexOf('.')))}`);
  }
}

/** True when there is no certificate to judge. */
function isResumedOrEmpty(socket: TLSSocket): boolean {
  return !socket.authorizationError || socket.getPeerX509Certificate() === undefined;
}

function namesOf(
  certificates: readonly { readonly cert: string }[],
  contexts: readonly SecureContext[],
): Map<string, SecureContext> {
  const names = new Map<string, SecureContext>();
  for (const [index, { cert }] of certificates.entries()) {
    for (const name of sniNames(new X509Certificate(cert))) if (!names.has(name)) names.set(name, contexts[index]);
  }
  return names;
}

/**
 * What a session must have begun under: the tickets of a listener that asks for no certificate, or believed others, would
 * else open one that does (OpenSSL judges no certificate in a session that is resumed).
 */
function sessionContextOf({ name, clientCertificates }: TlsOptions): string {
  return createHash('sha256')
    .update(JSON.stringify([name, clientCertificates]))
    .digest('hex')
    .slice(0, 32);
}

/** OpenSSL's words without its numbers and places. */
/** What OpenSSL says in words that only it understands. */
const REASONS: Readonly<Record<string, string>> = { 'http request': 'plain HTTP, where TLS is spoken' };

function reasonOf(error: NodeJS.ErrnoException): string {
  const { code, reason } = error as NodeJS.ErrnoException & { reason?: string };
  if (reason !== undefined) return Object.hasOwn(REASONS, reason) ? REASONS[reason] : reason;
  return code ?? error.message.split('\n', 1)[0].slice(0, 100);
}
