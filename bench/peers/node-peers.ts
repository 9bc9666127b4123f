/** The gateways written for Node: one process each, installed on demand from the private package beside this file. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch, Peer, PeerSetup, Protocol } from './peer.ts';

const directory = import.meta.dirname;

function installedVersion(name: string): string | undefined {
  const file = join(directory, 'node_modules', name, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : undefined;
}

function createNodePeer(
  name: string,
  packages: readonly string[],
  note: string,
  protocols: readonly Protocol[] = ['http/1.1'],
): Peer {
  return {
    name,
    note,
    features: [],
    protocols,
    version() {
      const versions = packages.map((each) => ({ each, version: installedVersion(each) }));
      if (versions.some(({ version }) => version === undefined)) return undefined;
      return versions.map(({ each, version }) => `${each} ${version}`).join(', ');
    },
    launch(setup: PeerSetup): Launch {
      return {
        command: [process.execPath, join(directory, 'servers', `${name}.js`)],
        files: {},
        environment: {
          NODE_ENV: 'production',
          PEER_PORT: String(setup.port),
          PEER_ORIGIN_PORT: String(setup.originPort),
          PEER_UPSTREAM_CONNECTIONS: String(setup.upstreamConnections),
          ...(setup.certificate === null
            ? {}
            : { PEER_CERTIFICATE: setup.certificate.cert, PEER_KEY: setup.certificate.key }),
        },
      };
    },
  };
}

export const nodePeers: readonly Peer[] = [
  createNodePeer(
    'node-undici',
    ['undici'],
    'node:http and Pool.dispatch, 60 lines; no log, no headers added, no metrics',
  ),
  createNodePeer('fast-gateway', ['fast-gateway'], 'defaults; no log, no metrics'),
  createNodePeer('fastify-http-proxy', ['@fastify/http-proxy', 'fastify'], 'defaults with undici; no log, no metrics'),
  createNodePeer(
    'express-http-proxy-middleware',
    ['http-proxy-middleware', 'express'],
    'keep-alive agent, forwarded headers; no log, no metrics',
  ),
  createNodePeer(
    'node-http2',
    ['undici'],
    'node:http2 streams and Pool.dispatch, 60 lines; no log, no headers added, no metrics',
    ['h2'],
  ),
];

/** The packages, as name and version, that the private package names and that are not installed at that version. */
export function missingPackages(): string[] {
  const text = readFileSync(join(directory, 'package.json'), 'utf8');
  const { optionalDependencies } = JSON.parse(text) as { optionalDependencies: Record<string, string> };
  return Object.entries(optionalDependencies)
    .filter(([name, version]) => installedVersion(name) !== version)
    .map(([name, version]) => `${name} ${version}`);
}
