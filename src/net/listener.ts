/** A listening socket and the client connections that came through it. */
import { createServer, type Server, type Socket } from 'node:net';
import type { TimerWheel } from '../base/timer-wheel.ts';
import { ClientConnection, type ConnectionContext, type ConnectionLimits } from './client-connection.ts';
import type { ListenerInfo, RequestHandler } from './stream.ts';

export interface ListenerDeps {
  readonly handler: RequestHandler;
  readonly wheel: TimerWheel;
  /** For tests: false reads each socket by itself. */
  readonly sharedReads?: boolean;
}

export interface ListenOptions {
  /** The address is shared with other processes, between which the kernel spreads connections. */
  readonly reusePort?: boolean;
  readonly source?: object;
}

/** Clients that may wait for `accept`. */
const BACKLOG = 4096;

export class Listener {
  readonly info: ListenerInfo;
  readonly host: string;
  readonly limits: ConnectionLimits;
  readonly server: Server;
  private readonly connections = new Set<ClientConnection>();
  private closing = false;
  /** True when it was asked for port 0. */
  anyPort = false;

  constructor(info: ListenerInfo, host: string, limits: ConnectionLimits, maxConnections: number, deps: ListenerDeps) {
    this.info = info;
    this.host = host;
    this.limits = limits;
    const context: ConnectionContext = {
      listener: info,
      handler: deps.handler,
      wheel: deps.wheel,
      limits,
      onClosed: (connection) => this.connections.delete(connection),
      sharedReads: deps.sharedReads ?? true,
    };
    this.server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket: Socket) => {
      // A client that is gone before it was looked at has no address any more.
      if (socket.remoteAddress === undefined) {
        socket.destroy();
        return;
      }
      const connection = new ClientConnection(socket, context);
      this.connections.add(connection);
      if (this.closing) connection.close();
    });
    this.server.maxConnections = maxConnections;
  }

  /** How many client connections there are. */
  get size(): number {
    return this.connections.size;
  }

  /** Changes the limits for connections made from now on and for the next requests of those that are. */
  configure(limits: ConnectionLimits, maxConnections: number): void {
    Object.assign(this.limits, limits);
    this.server.maxConnections = maxConnections;
  }

  /**
   * Starts to listen; rejects with the system's error when the address cannot be had. `source` is a socket
   * that listens already, from a process that ends.
   */
  listen(port: number, { reusePort = false, source }: ListenOptions = {}): Promise<void> {
    this.anyPort = port === 0;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      const where = source ?? { host: this.host, port, backlog: BACKLOG, ...(reusePort ? { reusePort } : {}) };
      this.server.listen(where, () => {
        this.server.removeListener('error', reject);
        const address = this.server.address();
        if (address !== null && typeof address === 'object') this.info.port = address.port;
        resolve();
      });
    });
  }

  /** Takes a connection that another process accepted. */
  adopt(socket: Socket): void {
    if (this.connections.size >= this.server.maxConnections) socket.destroy();
    else this.server.emit('connection', socket);
  }

  /** Refuses new connections, ends idle ones, and lets busy ones end with their answer. */
  drain(): void {
    this.closing = true;
    this.server.close();
    for (const connection of this.connections) connection.close();
  }

  /** Cuts every connection left; answers how many there were. */
  destroy(): number {
    this.closing = true;
    this.server.close();
    const left = this.connections.size;
    for (const connection of this.connections) connection.destroy();
    return left;
  }
}
