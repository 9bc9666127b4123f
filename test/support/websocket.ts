/** WebSocket clients and servers of the `ws` library, and handshakes written by hand. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import type { RawClient } from './raw-client.ts';
import { PATIENCE } from './waiting.ts';
import { close, KEY, type ReadFrame, readFrames } from './websocket-frame.ts';

export interface WebSocketOrigin {
  readonly url: string;
  readonly server: WebSocketServer;
  /** Sockets that are or were open, in order. */
  readonly sockets: WebSocket[];
  close(): void;
}

/** A `ws` server; without a script it echoes. */
export async function startWebSocketOrigin(
  options: object = {},
  onSocket: (socket: WebSocket, request: import('node:http').IncomingMessage) => void = echo,
): Promise<WebSocketOrigin> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  const sockets: WebSocket[] = [];
  server.on('connection', (socket, request) => {
    sockets.push(socket);
    // Faults of a peer are what the tests are about.
    socket.on('error', () => {});
    onSocket(socket, request);
  });
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    sockets,
    close() {
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}

export function echo(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
}

/** An open `ws` client. */
export async function openWebSocket(
  port: number,
  path = '/',
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, options);
  socket.on('error', () => {});
  await within(once(socket, 'open'));
  return socket;
}

/** The status and body of the answer to a handshake that is refused. */
export function refusedHandshake(
  port: number,
  path = '/',
  options: ClientOptions = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
    socket.on('error', () => {});
    socket.on('open', () => reject(new Error('the handshake was not refused')));
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
  });
}

/** The next message, as a buffer. */
export async function messageOf(socket: WebSocket): Promise<{ data: Buffer; isBinary: boolean }> {
  const [data, isBinary] = (await within(once(socket, 'message'))) as [Buffer, boolean];
  return { data, isBinary };
}

/** The code with which the socket is closed. */
export async function closeOf(socket: WebSocket): Promise<number> {
  if (socket.readyState === WebSocket.CLOSED) throw new Error('the socket is closed already');
  const [code] = (await within(once(socket, 'close'))) as [number];
  return code;
}

function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE} ms in vain for an event of a WebSocket`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The key of every handshake written by hand, and its answer. */
export const HANDSHAKE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export function handshake(fields: Record<string, string | null> = {}, line = 'GET / HTTP/1.1'): string {
  const all = {
    Host: 'a',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': HANDSHAKE_KEY,
    'Sec-WebSocket-Version': '13',
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => (value === null ? '' : `${name}: ${value}\r\n`));
  return `${line}\r\n${lines.join('')}\r\n`;
}

export function switching(fields: Record<string, string | null> = {}, key = HANDSHAKE_KEY): string {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const all = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': accept, ...fields };
  const lines = Object.entries(all).map(([name, value]) => (value === null ? '' : `${name}: ${value}\r\n`));
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`;
}

/** The frames that a raw client has been sent, once the last of them is a Close. */
export async function framesToClose(client: RawClient): Promise<ReadFrame[]> {
  for (;;) {
    const frames = readFrames(client.unread);
    if (frames.at(-1)?.opcode === 8) return frames;
    await client.untilBytes(client.unread.length + 1);
  }
}

export { close, KEY };
