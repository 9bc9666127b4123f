/** Who is at either end of a connection: by its socket, or by what a trusted load balancer said before everything else. */
import type { Socket } from 'node:net';
import { normalizeIp } from '../base/ip.ts';

/** IPv4-mapped addresses are written as IPv4. Text is empty and ports are 0 where the system no longer knows. */
export interface Peer {
  /** Of the client. */
  readonly address: string;
  readonly port: number;
  /** What the client connected to. */
  readonly localAddress: string;
  readonly localPort: number;
}

/** By the socket that was accepted: layers above it, such as TLS, have sockets of their own. */
const announced = new WeakMap<Socket, Peer>();

/** From now on the connection is one of `peer`, whatever its socket says. */
export function announcePeer(socket: Socket, peer: Peer): void {
  announced.set(socket, peer);
}

/** The ends of a connection. `socket` may be one of TLS over the one that was accepted. */
export function peerOf(socket: Socket): Peer {
  const known = announcedTo(socket);
  if (known !== undefined) return known;
  return {
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    localAddress: plainAddress(socket.localAddress),
    localPort: socket.localPort ?? 0,
  };
}

/** The client's address alone; also of a layer that is gone, where the socket below it was asked before. */
export function addressOf(socket: Socket): string {
  return announcedTo(socket)?.address ?? plainAddress(socket.remoteAddress ?? socketBelow(socket)?.remoteAddress);
}

/**
 * False when the connection was reset, asked where it seems to have ended: libuv tells an end where a reset comes together
 * with the last bytes. The socket's own `remoteAddress` may be remembered, so the system is asked, by a method of the handle
 * that Node.js does not document: where it is not there, the answer is true.
 */
export function hasPeer(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as { _handle: { getpeername?: (out: object) => number } | null };
  return typeof handle?.getpeername !== 'function' || handle.getpeername({}) === 0;
}

function announcedTo(socket: Socket): Peer | undefined {
  const below = socketBelow(socket);
  return announced.get(socket) ?? (below === undefined ? undefined : announced.get(below));
}

function socketBelow(socket: Socket): Socket | undefined {
  const { _parent: below } = socket as { _parent?: Socket | null };
  return below instanceof Object ? below : undefined;
}

function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  // Link-local addresses come with their zone, which is no part of an address.
  const zone = address.indexOf('%');
  return normalizeIp(zone < 0 ? address : address.slice(0, zone)) ?? address;
}
