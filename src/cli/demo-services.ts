/** The three small services behind the demo: users, orders and products, each a real HTTP server on a free port. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Entry {
  readonly id: string;
  readonly [property: string]: unknown;
}

const DATA: Record<string, Entry[]> = {
  users: [
    { id: '1', name: 'Ada Lovelace' },
    { id: '2', name: 'Alan Turing' },
  ],
  orders: [
    { id: '1001', user: '1', product: 'p1', quantity: 2 },
    { id: '1002', user: '2', product: 'p2', quantity: 1 },
  ],
  products: [
    { id: 'p1', name: 'Analytical engine', price: 1840 },
    { id: 'p2', name: 'Bombe', price: 1940 },
  ],
};

export interface DemoServices {
  /** Base URL by name. */
  readonly urls: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Starts the services on loopback. */
export async function startDemoServices(): Promise<DemoServices> {
  const urls: Record<string, string> = {};
  const servers: Server[] = [];
  for (const name of Object.keys(DATA)) {
    const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => answer(name, request, response));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    urls[name] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    servers.push(server);
  }
  return {
    urls,
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const { pathname } = new URL(request.url ?? '/', 'http://demo');
  const [, collection, id] = pathname.split('/');
  if (pathname === '/health') return json(response, 200, { service: name, ok: true });
  if (collection !== name) return json(response, 404, { error: 'not found' });
  if (id === undefined || id === '') return json(response, 200, DATA[name]);
  const found = DATA[name].find((entry) => entry.id === id);
  if (found === undefined) return json(response, 404, { error: `no such entry in ${name}` });
  json(response, 200, {
    ...found,
    seen_by_upstream: { request_id: request.headers['x-request-id'], via: request.headers.via },
  });
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
