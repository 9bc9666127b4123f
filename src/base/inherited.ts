/** Listening addresses that a process has from the one whose place it takes. */
import type { Server } from 'node:net';

export interface InheritedSocket {
  /** The listener's name. */
  readonly name: string;
  readonly host: string;
  /** As configured; 0 for any. */
  readonly wanted: number;
  readonly port: number;
  /** What `server.listen` takes; null where the address is shared by port, and each process opens its own. */
  readonly handle: object | null;
}

/** What a process was left, each to be taken once. */
export class Inheritance {
  private readonly sockets: InheritedSocket[];

  constructor(sockets: readonly InheritedSocket[] = []) {
    this.sockets = [...sockets];
  }

  /** True when a socket itself is among those that `belongs` picks by name, and not only the way to share its address. */
  hasHandles(belongs: (name: string) => boolean): boolean {
    return this.sockets.some(({ name, handle }) => handle !== null && belongs(name));
  }

  /** The one that a listener of this name and address goes on with. */
  take(name: string, host: string, wanted: number): InheritedSocket | null {
    const at = this.sockets.findIndex((s) => s.name === name && s.host === host && s.wanted === wanted);
    return at < 0 ? null : this.sockets.splice(at, 1)[0];
  }
}

/**
 * The socket under a server, as a child process can be given it. Not the server itself, which is documented for that: it
 * would accept connections over there from the first moment, before anybody asks for them.
 */
export function handleOf(server: Server): object {
  return (server as unknown as { _handle: object })._handle;
}
