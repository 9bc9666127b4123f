/** What the harness asks of every proxy that it measures. */

/** What clients speak to a proxy; `h2` is over TLS. What it speaks to the origin is HTTP/1.1 all the same. */
export type Protocol = 'http/1.1' | 'tls' | 'h2' | 'websocket';

/** PEM files on this machine. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Certificate and key in one file. */
  readonly both: string;
}

export interface PeerSetup {
  /** A directory of its own, for its configuration, logs and temporary files. */
  readonly directory: string;
  /** Where it must listen, on 127.0.0.1. */
  readonly port: number;
  /** A second free port, for a peer that has an admin listener. */
  readonly adminPort: number;
  /** Where the origin listens, on 127.0.0.1. */
  readonly originPort: number;
  /** Connections to the origin that must be kept open, at least. */
  readonly upstreamConnections: number;
  /** Client connections that must be accepted at once, at least. */
  readonly clientConnections: number;
  /** Routes to configure: 1 takes every path, N takes `/r0/`, `/r1/` ... `/r{N-1}/`. */
  readonly routes: number;
  readonly protocol: Protocol;
  /** What it shows to clients; null without TLS. */
  readonly certificate: CertificateFiles | null;
}

/** How a running peer is made to take a changed configuration. */
export interface Reload {
  readonly signal: NodeJS.Signals;
  /** The configuration to write before the signal; it differs for each `turn`, so that no peer can skip the work. */
  files(turn: number): Readonly<Record<string, string>>;
  /** The generation that serves, where the peer can tell: proof that the reloads took place. */
  generation?(): Promise<number>;
}

export interface Launch {
  readonly command: readonly string[];
  /** Written before the start, relative to the directory. */
  readonly files: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Working directory; the peer's own when absent. */
  readonly cwd?: string;
  /** Emptied between rounds, lest a fast peer fill the disk. */
  readonly accessLog?: string;
  readonly reload?: Reload;
}

export interface Peer {
  readonly name: string;
  /** What a reader must know to judge the comparison. */
  readonly note: string;
  /** Takes part in the scenarios that are about many routes and about reloads. */
  readonly features: readonly ('routes' | 'reload')[];
  /** Takes part in the scenarios of these. */
  readonly protocols: readonly Protocol[];
  /** Its version, or undefined when it is not on this machine. */
  version(): string | undefined;
  launch(setup: PeerSetup): Launch;
}

/** What most proxies can. */
export const EVERY_PROTOCOL: readonly Protocol[] = ['http/1.1', 'tls', 'h2', 'websocket'];

/** The prefixes of a setup's routes; empty when one route takes all. */
export function routePrefixes(setup: PeerSetup): string[] {
  return setup.routes === 1 ? [] : Array.from({ length: setup.routes }, (_, index) => `/r${index}/`);
}
