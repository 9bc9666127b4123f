/** The addresses that a supervisor has for its workers: shared by port, or accepted here and handed over one by one. */
import { createServer, type Server, type Socket } from 'node:net';
import { handleOf, type Inheritance, type InheritedSocket } from '../../base/inherited.ts';
import type { ListenerConfig } from '../../config/model.ts';

export type SocketSharing = 'reuse-port' | 'handed-over';

/**
 * `SO_REUSEPORT` where the runtime has it (Node.js 22.12 and 23.1; earlier ones take the option and ignore it) and the
 * kernel spreads connections over those that listen (Linux).
 */
export function bestSharing(version = process.versions.node, platform: string = process.platform): SocketSharing {
  const [major, minor] = version.split('.').map(Number);
  const has = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return has && platform === 'linux' ? 'reuse-port' : 'handed-over';
}

/** Clients that may wait for `accept`. */
const BACKLOG = 4096;

interface Held {
  readonly name: string;
  readonly host: string;
  /** As configured; 0 for any. */
  readonly wanted: number;
  readonly port: number;
  /** What listens here; null where the workers do. */
  readonly server: Server | null;
}

export class Sockets {
  private readonly sharing: SocketSharing;
  /** Takes an accepted connection, paused. */
  private readonly onConnection: (listener: string, socket: Socket) => void;
  private held: Held[] = [];
  private closed = false;
  private readonly inherited: Inheritance;

  constructor(
    sharing: SocketSharing,
    inherited: Inheritance,
    onConnection: (listener: string, socket: Socket) => void,
  ) {
    this.sharing = sharing;
    this.inherited = inherited;
    this.onConnection = onConnection;
  }

  /** What a successor needs to go on with these addresses. */
  get inheritance(): InheritedSocket[] {
    return this.held.map(({ server, ...held }) => ({ ...held, handle: server === null ? null : handleOf(server) }));
  }

  get addresses(): { name: string; host: string; port: number }[] {
    return this.held.map(({ name, host, port }) => ({ name, host, port }));
  }

  /**
   * Opens what is not open yet. Answers the listeners with their real ports, and the way to keep or give up what was
   * opened; rejects with the system's error, with nothing new left open.
   */
  async prepare(
    configs: readonly ListenerConfig[],
  ): Promise<{ listeners: ListenerConfig[]; commit(): void; discard(): void }> {
    const opened: Held[] = [];
    const next: Held[] = [];
    const discard = (): void => {
      for (const { server } of opened) server?.close();
    };
    try {
      for (const { name, address } of configs) {
        const same = this.held.find((h) => h.name === name && h.host === address.host && h.wanted === address.port);
        if (same !== undefined) {
          next.push(same);
          continue;
        }
        const held = await this.open(name, address.host, address.port);
        opened.push(held);
        next.push(held);
      }
    } catch (error) {
      discard();
      throw error;
    }
    return {
      listeners: configs.map((config, index) => {
        return { ...config, address: { ...config.address, port: next[index].port } };
      }),
      discard,
      commit: () => {
        for (const former of this.held) if (!next.includes(former)) former.server?.close();
        this.held = next;
        // The gateway has stopped while a change went live.
        if (this.closed) this.close();
      },
    };
  }

  /** No more connections are accepted here. */
  close(): void {
    this.closed = true;
    for (const { server } of this.held) server?.close();
    this.held = [];
  }

  private async open(name: string, host: string, wanted: number): Promise<Held> {
    const inherited = this.inherited.take(name, host, wanted);
    // Those who share it by port are the workers of the one before, and will be ours.
    if (inherited !== null && inherited.handle === null)
      return { name, host, wanted, port: inherited.port, server: null };
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      this.onConnection(name, socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(inherited?.handle ?? { host, port: wanted, backlog: BACKLOG }, () => {
        server.removeListener('error', reject);
        // Later errors are of accepting one connection, such as running out of descriptors.
        server.on('error', () => {});
        resolve();
      });
    });
    const { port } = server.address() as { port: number };
    if (this.sharing === 'handed-over') return { name, host, wanted, port, server };
    // Listening alone has shown that nobody else has the address; the workers now share it.
    await new Promise<void>((resolve) => void server.close(() => resolve()));
    return { name, host, wanted, port, server: null };
  }
}
