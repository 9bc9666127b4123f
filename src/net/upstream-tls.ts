/** TLS to the endpoints of a service: what the gateway shows and believes, and the sessions that are gone on with. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';

/** PEM texts where they are given; the defaults of Node.js where not. */
export interface UpstreamTlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** By default the endpoint's host. */
  readonly serverName?: string;
  readonly minVersion: SecureVersion;
  readonly verify: boolean;
}

/** For services that say nothing about TLS. */
export const DEFAULT_TLS: UpstreamTlsOptions = { minVersion: 'TLSv1.2', verify: true };

/** One for all endpoints of a service in a generation, which share the object that their options stand in. */
const contexts = new WeakMap<UpstreamTlsOptions, SecureContext>();

/** Throws the library's error when one of the PEM texts cannot be used. */
export function secureContextOf(options: UpstreamTlsOptions): SecureContext {
  let context = contexts.get(options);
  if (context === undefined) {
    const { ca, cert, key, minVersion } = options;
    // Of authorities the library takes what it can read, and would go on without one.
    if (ca !== undefined) new X509Certificate(ca);
    context = createSecureContext({ ca, cert, key, minVersion });
    contexts.set(options, context);
  }
  return context;
}

/** What `tls.connect` and all that hands options on to it is to be told, without host and port. */
export function tlsConnectOptions(options: UpstreamTlsOptions, host: string, protocol: string): ConnectionOptions {
  const name = options.serverName ?? host;
  return {
    secureContext: secureContextOf(options),
    // An address is no name to ask for (RFC 6066 section 3), but it is one to find in the certificate.
    servername: isIP(name) === 0 ? name : '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    rejectUnauthorized: options.verify,
    ALPNProtocols: [protocol],
  };
}

/** Where the bytes that a socket reads go. */
export interface ReadInto {
  readonly buffer: Buffer;
  readonly callback: (size: number) => boolean;
}

/** The TLS of one endpoint, until its service's options change. */
export class UpstreamTls {
  private readonly options: ConnectionOptions;
  /** The last one that the endpoint gave: the next connection goes on with it and spares both sides the certificates. */
  private session: Buffer | undefined;

  /** `protocol` is the one to agree on by ALPN. */
  constructor(options: UpstreamTlsOptions, host: string, port: number, protocol: string) {
    this.options = { ...tlsConnectOptions(options, host, protocol), host, port };
  }

  /** A socket that says `secureConnect` when the handshake is done and the endpoint is who it should be. */
  connect(onread?: ReadInto): TLSSocket {
    const { session } = this;
    const socket = connect({ ...this.options, session, onread } as ConnectionOptions);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on('session', (given: Buffer) => {
      this.session = given;
    });
    return socket;
  }

  /** A handshake failed, for which the session may be the reason. */
  forgetSession(): void {
    this.session = undefined;
  }
}

/** Alerts by which an endpoint refuses the gateway's certificate, or that there is none. */
const REFUSAL = /_ALERT_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE)/;

/**
 * True for the error of a connection that the endpoint has not taken. With TLS 1.3 it says so only after the client is
 * done with the handshake and may have sent a request (RFC 8446 section 4.4.2.4), which then nobody read.
 */
export function isHandshakeRefusal(code: string): boolean {
  return REFUSAL.test(code);
}
