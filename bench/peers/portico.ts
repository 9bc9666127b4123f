/** Portico as a peer: one listener, one route, one service, metrics on, access log to a file on. */
import { existsSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { versionOf } from '../measure/machine.ts';
import type { Launch, Peer, PeerSetup } from './peer.ts';
import { EVERY_PROTOCOL, routePrefixes } from './peer.ts';

function secureLines({ certificate, protocol }: PeerSetup): string {
  if (certificate === null) return '';
  return `
    protocols: [${protocol === 'h2' ? 'h2, ' : ''}http/1.1]
    tls: { minVersion: TLSv1.3, certificates: [{ certFile: ${certificate.cert}, keyFile: ${certificate.key} }] }`;
}

/** How the gateway under measurement differs from the plain one. */
interface Variant {
  /** Policies of its route, as a file has them in one line. */
  readonly policies?: string;
  /** Most requests in flight on one connection to the origin. */
  readonly pipelining?: number;
}

function configuration(setup: PeerSetup, turn: number, { policies = '', pipelining = 1 }: Variant): string {
  const prefixes = routePrefixes(setup);
  const paths = prefixes.length === 0 ? ['/'] : prefixes.map((prefix) => prefix.slice(0, -1));
  const more =
    setup.protocol === 'websocket'
      ? `, websocket: { idleTimeout: 10m, maxConnections: ${setup.clientConnections} }`
      : '';
  const routes = paths.map(
    (path, index) => `  - { name: r${index}, match: { pathPrefix: ${path} }, service: origin${more} }`,
  );
  // Beside the route that tells whether it serves, which asks for no credential.
  if (policies !== '') {
    routes.push(`  - { name: guarded, match: { pathPrefix: /users }, service: origin, policies: ${policies} }`);
  }
  return `version: 1
workers: 1
listeners:
  - name: public
    address: 127.0.0.1:${setup.port}${secureLines(setup)}
    limits: { requestBody: 1GiB, connections: ${setup.clientConnections + 512} }
    timeouts: { keepAlive: 10m }
admin: { address: 127.0.0.1:${setup.adminPort} }
shutdown: { drain: 10ms, timeout: 1s }
limits: { concurrentRequests: ${setup.clientConnections + 512} }
logging: { level: warn, access: { file: ${setup.directory}/access.log, format: json } }
services:
  - name: origin
    endpoints: [http://127.0.0.1:${setup.originPort}]
    connections: { max: ${setup.upstreamConnections}, pipelining: ${pipelining} }
routes:
  - { name: turn, match: { path: /turn-${turn} }, respond: { status: 204 } }
${routes.join('\n')}
`;
}

function readStatus(adminPort: number): Promise<{ generation: number }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port: adminPort, path: '/status' }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        try {
          resolve(JSON.parse(text) as { generation: number });
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on('error', reject);
  });
}

function createPortico(name: string, root: string, note: string, variant: Variant = {}): Peer {
  const program = join(root, 'bin', 'portico.js');
  return {
    name,
    note,
    features: ['routes', 'reload'],
    protocols: EVERY_PROTOCOL,
    version() {
      if (!existsSync(program)) return undefined;
      return versionOf([process.execPath, program, 'version'], /^portico (\d\S*)/m);
    },
    launch(setup: PeerSetup): Launch {
      const files = (turn: number) => ({ 'portico.yaml': configuration(setup, turn, variant) });
      return {
        command: [process.execPath, program, 'start', '-c', `${setup.directory}/portico.yaml`],
        files: files(0),
        environment: { NODE_ENV: 'production' },
        accessLog: 'access.log',
        reload: {
          signal: 'SIGHUP',
          files,
          generation: async () => (await readStatus(setup.adminPort)).generation,
        },
      };
    },
  };
}

const NOTE = 'one process, access log as JSON, metrics, forwarded headers, request id, trace context';

const ROOT = join(import.meta.dirname, '..', '..');

export const portico = createPortico('portico', ROOT, NOTE);

const DEPTH = 16;

/** With several requests in flight on each connection to the origin. */
export const porticoPipelined: Peer = {
  ...createPortico('portico-pipelined', ROOT, `${NOTE}; \`pipelining: ${DEPTH}\``, { pipelining: DEPTH }),
  features: [],
  protocols: ['http/1.1', 'tls'],
};

/** Portico with policies on its route, as a file has them in one line. */
export function createPorticoWith(name: string, policies: string): Peer {
  return createPortico(name, ROOT, `${NOTE}; ${policies.replace(/secret: \w+/, 'secret: ...')}`, { policies });
}

/** A built checkout elsewhere, to see what a change costs or gains in the same run. */
export function createOtherPortico(root: string): Peer {
  return createPortico('portico-other', root, `another checkout: ${NOTE}`);
}
