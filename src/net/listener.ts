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
  /** Connections wait, unread, until `release`. */
  readonly held?: boolean;
}

/** Clients that may wait for `accept`. */
const BACKLOG = 4096;

/** Turns of the event loop after which a listener closes although connections still come. */
const MOST_TURNS = 1000;

export class Listener {
  readonly info: ListenerInfo;
  readonly host: string;
  readonly limits: ConnectionLimits;
  readonly server: Server;
  private readonly connections = new Set<ClientConnection>();
  private closing = false;
  /** Connections that wait for `release`; null when none need to. */
  private waiting: Socket[] | null = null;
  private readonly context: ConnectionContext;
  /** How many connections came, ever. */
  private accepted = 0;
  /** True when it was asked for port 0. */
  anyPort = false;

  constructor(info: ListenerInfo, host: string, limits: ConnectionLimits, maxConnections: number, deps: ListenerDeps) {
    this.info = info;
    this.host = host;
    this.limits = limits;
    this.context = {
      listener: info,
      handler: deps.handler,
      wheel: deps.wheel,
      limits,
      onClosed: (connection) => this.connections.delete(connection),
      sharedReads: deps.sharedReads ?? true,
    };
    this.server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket: Socket) => {
      this.accepted++;
      // A client that is gone before it was looked at has no address any more.
      if (socket.remoteAddress === undefined) socket.destroy();
      else if (this.waiting === null) this.connect(socket);
      else this.waiting.push(socket);
    });
    this.server.maxConnections = maxConnections;
  }

  private connect(socket: Socket): void {
    const connection = new ClientConnection(socket, this.context);
    this.connections.add(connection);
    if (this.closing) connection.close();
  }

  /** Whoever answers is there: those that came before are served. */
  release(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const socket of waiting) this.connect(socket);
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
  listen(port: number, { reusePort = false, source, held = false }: ListenOptions = {}): Promise<void> {
    this.anyPort = port === 0;
    if (held) this.waiting = [];
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

  /**
   * Ends idle connections soon, lets busy ones end with their answer, and refuses new ones when those that wait to be
   * accepted are here; settles then.
   */
  async drain(): Promise<void> {
    this.closing = true;
    for (const connection of this.connections) connection.close();
    if (this.server.listening) await this.untilNoneWaits();
    this.server.close();
  }

  /** The runtime accepts one connection a turn, and the system resets those that wait when the socket closes. */
  private untilNoneWaits(): Promise<void> {
    return new Promise((resolve) => {
      let before = -1;
      let turns = 0;
      const look = (): void => {
        if (this.accepted === before || turns++ === MOST_TURNS) return resolve();
        before = this.accepted;
        setImmediate(look);
      };
      setImmediate(look);
    });
  }

  /** Cuts every connection left; answers how many there were. */
  destroy(): number {
    this.closing = true;
    this.server.close();
    const left = this.connections.size;
    for (const connection of this.connections) connection.destroy();
    for (const socket of this.waiting?.splice(0) ?? []) socket.destroy();
    return left;
  }
}
