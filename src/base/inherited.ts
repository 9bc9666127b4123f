/** Listening addresses that a process has from the one whose place it takes. */
import type { Server } from 'node:net';

export interface InheritedSocket {
  /** The listener's name. */
  readonly name: string;
  readonly host: string;
  /** As configured; 0 for any. */
  readonly wanted: number;
  readonly port: number;
  /** Listens on the very socket; null where the address is shared by port, and each process opens its own. */
  readonly server: Server | null;
}

/** The one that a listener of this name and address goes on with. */
export function findInherited(
  sockets: readonly InheritedSocket[],
  name: string,
  host: string,
  wanted: number,
): InheritedSocket | undefined {
  return sockets.find((socket) => socket.name === name && socket.host === host && socket.wanted === wanted);
}
