/** A listening socket and the client connections that came through it. */
import { createServer, type Server, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Allowance } from '../base/allowance.ts';
import type { CidrSet } from '../base/ip.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import { ClientConnection, type ConnectionContext, type ConnectionLimits } from './client-connection.ts';
import { Http2Connection } from './http2-connection.ts';
import { sniffHttp2 } from './http2-preface.ts';
import { addressOf } from './peer.ts';
import { acceptProxyHeader, type ProxyHeaderEvents } from './proxied-socket.ts';
import type { ClientLink, ListenerInfo, RawHandler, RequestHandler } from './stream.ts';
import { type TlsOptions, TlsTerminator } from './tls-terminator.ts';

export interface ListenerDeps {
  readonly handler: RequestHandler;
  /** Takes the connections of modes other than `http`. */
  readonly raw?: RawHandler;
  readonly wheel: TimerWheel;
  /** Where several processes share `maxConnections`: makes the part that is this one's. `inUse` counts its connections. */
  readonly shareConnections?: ((inUse: () => number) => Allowance) | undefined;
  /** For tests: false reads each socket by itself. */
  readonly sharedReads?: boolean;
}

/** What connections are held to; those that stand keep what they began with, but for the limits. */
export interface ListenerSettings {
  readonly mode: 'http' | 'tcp' | 'tls-passthrough';
  /** Whose connections must begin with a PROXY header; null for nobody's. */
  readonly proxies: CidrSet | null;
  readonly limits: ConnectionLimits;
  readonly maxConnections: number;
  /** Null where TLS does not end here. */
  readonly tls: TlsOptions | null;
  /** Spoken without TLS; under it ALPN chooses. */
  readonly protocols: readonly ('h2' | 'http/1.1')[];
}

/** Settings of which nothing can fail any more. */
export interface PreparedSettings {
  readonly settings: ListenerSettings;
  readonly tls: TlsTerminator | null;
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
/** Milliseconds between two looks for those that come back, how many must find nobody, and how many there are at most. */
const RETURN_LOOK = 10;
const QUIET_LOOKS = 5;
const MOST_LOOKS = 50;

export class Listener {
  readonly info: ListenerInfo;
  readonly host: string;
  readonly server: Server;
  private readonly deps: ListenerDeps;
  private readonly limits: ConnectionLimits;
  private settings: ListenerSettings;
  private readonly connections = new Set<ClientLink>();
  private readonly context: ConnectionContext;
  private readonly proxyEvents: ProxyHeaderEvents;
  private tls: TlsTerminator | null = null;
  /** Accepted sockets whose protocol is not known yet, and those under TLS. */
  private readonly beginning = new Set<Socket>();
  private closing = false;
  /** Connections that wait for `release`; null when none need to. */
  private waiting: Socket[] | null = null;
  /** Its part of a shared limit, from `release` on; null where the limit is its own. */
  private allowance: Allowance | null = null;
  /** Connections for which more of it was asked. */
  private readonly asking = new Set<Socket>();
  /** How many connections came, ever. */
  private accepted = 0;
  /** True when it was asked for port 0. */
  anyPort = false;
  /** Other processes listen on the same address. */
  private sharesPort = false;

  /** Throws what OpenSSL says of certificates and keys that it cannot use. */
  constructor(info: ListenerInfo, host: string, settings: ListenerSettings, deps: ListenerDeps) {
    this.info = info;
    this.host = host;
    this.deps = deps;
    this.limits = { ...settings.limits };
    this.settings = settings;
    this.context = {
      listener: info,
      handler: deps.handler,
      wheel: deps.wheel,
      limits: this.limits,
      onClosed: (connection) => this.connections.delete(connection),
      sharedReads: deps.sharedReads ?? true,
    };
    this.proxyEvents = {
      onAccepted: (socket) => this.serve(socket),
      onRefused: (address, reason) => deps.handler.onConnectionFault(info, address, 'proxy_header', reason),
      onSettled: (link) => this.connections.delete(link),
    };
    this.tls = this.createTerminator(settings.tls);
    this.server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket: Socket) => {
      this.accepted++;
      // A client that is gone before it was looked at has no address any more.
      if (socket.remoteAddress === undefined) socket.destroy();
      else if (this.waiting === null) this.admit(socket);
      else this.waiting.push(socket);
    });
    this.limitTo(settings.maxConnections);
  }

  private limitTo(maxConnections: number): void {
    this.server.maxConnections = this.deps.shareConnections === undefined ? maxConnections : Number.POSITIVE_INFINITY;
  }

  private admit(socket: Socket): void {
    const { allowance, asking } = this;
    if (allowance === null || this.open + asking.size < allowance.granted) return this.connect(socket);
    asking.add(socket);
    allowance.ask((grown) => {
      // False for one that was cut while it waited.
      if (!asking.delete(socket)) return;
      const fits = grown || this.open + asking.size < allowance.granted;
      if (fits && !socket.destroyed) this.connect(socket);
      else socket.destroy();
    });
  }

  private createTerminator(options: TlsOptions | null): TlsTerminator | null {
    if (options === null) return null;
    return new TlsTerminator(options, {
      onSecure: (socket) => {
        if (socket.alpnProtocol === 'h2') this.connectHttp2(socket);
        else this.add(new ClientConnection(socket, this.context));
      },
      onFailed: (address, reason) => this.deps.handler.onConnectionFault(this.info, address, 'tls_handshake', reason),
    });
  }

  private connect(socket: Socket): void {
    const { proxies } = this.settings;
    if (proxies === null || !proxies.contains(addressOf(socket))) this.serve(socket);
    else this.add(acceptProxyHeader(socket, this.deps.wheel, this.limits.headTimeout, this.proxyEvents));
  }

  private serve(socket: Socket): void {
    const { mode, protocols } = this.settings;
    if (mode !== 'http') this.relay(socket, mode);
    else if (this.tls !== null) {
      this.watch(socket);
      this.tls.accept(socket);
    } else if (!protocols.includes('h2')) this.add(new ClientConnection(socket, this.context));
    else if (protocols.length === 1) this.connectHttp2(socket);
    else {
      this.watch(socket);
      sniffHttp2(socket, this.limits.headTimeout, (isHttp2) => {
        this.beginning.delete(socket);
        if (isHttp2) this.connectHttp2(socket);
        else this.add(new ClientConnection(socket, this.context));
      });
    }
  }

  private relay(socket: Socket, mode: 'tcp' | 'tls-passthrough'): void {
    const { deps, info, limits } = this;
    if (deps.raw === undefined) socket.destroy();
    else
      this.add(
        deps.raw.onRawConnection(socket, { info, mode, helloTimeout: limits.headTimeout }, this.context.onClosed),
      );
  }

  private connectHttp2(socket: Socket): void {
    this.add(new Http2Connection(socket, this.context));
  }

  private add(connection: ClientLink): void {
    this.connections.add(connection);
    if (this.closing) connection.close();
  }

  private watch(socket: Socket): void {
    this.beginning.add(socket);
    socket.once('close', () => this.beginning.delete(socket));
  }

  /** Whoever answers is there: those that came before are served. */
  release(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    this.allowance = this.deps.shareConnections?.(() => this.open + this.asking.size) ?? null;
    for (const socket of waiting) this.admit(socket);
  }

  /** As `size`, with those that only begin: who never ends a handshake must not have any number of them. */
  private get open(): number {
    const { connections, beginning } = this;
    // Under TLS a socket stays among those that begin.
    return this.tls === null ? connections.size + beginning.size : Math.max(connections.size, beginning.size);
  }

  /** How many client connections there are. */
  get size(): number {
    return this.connections.size;
  }

  /** Builds what `configure` takes. Throws what OpenSSL says of certificates and keys that it cannot use. */
  prepare(settings: ListenerSettings): PreparedSettings {
    const same = isDeepStrictEqual(settings.tls, this.settings.tls);
    return { settings, tls: same ? this.tls : this.createTerminator(settings.tls) };
  }

  /**
   * Changes what connections made from now on are held to, and the limits for the next requests of those that are. Tickets are
   * to be sealed anew after it.
   */
  configure({ settings, tls }: PreparedSettings): void {
    if (tls !== this.tls) this.tls?.forgetTickets();
    this.settings = settings;
    this.tls = tls;
    this.info.scheme = settings.tls === null ? 'http' : 'https';
    Object.assign(this.limits, settings.limits);
    this.limitTo(settings.maxConnections);
  }

  /** Sessions are resumed by tickets that these 48 bytes seal, and by no others. Without TLS it does nothing. */
  sealTickets(keys: Buffer): void {
    this.tls?.sealTickets(keys);
  }

  /**
   * Starts to listen; rejects with the system's error when the address cannot be had. `source` is a socket
   * that listens already, from a process that ends.
   */
  listen(port: number, { reusePort = false, source, held = false }: ListenOptions = {}): Promise<void> {
    this.anyPort = port === 0;
    this.sharesPort = reusePort;
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
    if (this.open >= this.server.maxConnections) socket.destroy();
    else this.server.emit('connection', socket);
  }

  /**
   * Ends idle connections soon, lets busy ones end with their answer, and refuses new ones when those that wait to be
   * accepted are here; settles then. `others` is for how many milliseconds it may look for those that come back, where other
   * processes go on at the address: 0, as by default, where none does, and whoever wants it next is not to wait.
   */
  async drain(others = 0): Promise<void> {
    this.closing = true;
    for (const connection of this.connections) connection.close();
    if (this.server.listening) {
      await this.untilNoneWaits();
      if (this.sharesPort) await this.untilNoneReturns(Math.min(MOST_LOOKS, Math.floor(others / RETURN_LOOK)));
    }
    this.server.close();
  }

  /** True when it neither takes connections any more nor has any. */
  get isOver(): boolean {
    return !this.server.listening && this.open + this.asking.size === 0;
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

  /**
   * Where an address is shared, those that are sent away come back at once, and the system sends some of them here again: until
   * they have found another process they are served and sent away once more.
   */
  private untilNoneReturns(most: number): Promise<void> {
    if (most <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      let before = this.accepted;
      let quiet = 0;
      let looks = 0;
      const look = (): void => {
        quiet = this.accepted === before ? quiet + 1 : 0;
        before = this.accepted;
        if (quiet === QUIET_LOOKS || ++looks === most) resolve();
        else setTimeout(look, RETURN_LOOK);
      };
      setTimeout(look, RETURN_LOOK);
    });
  }

  /** Cuts every connection left; answers how many there were. */
  destroy(): number {
    this.closing = true;
    this.server.close();
    const left = this.connections.size;
    for (const connection of this.connections) connection.destroy();
    for (const socket of this.beginning) socket.destroy();
    for (const socket of this.waiting?.splice(0) ?? []) socket.destroy();
    for (const socket of this.asking) socket.destroy();
    this.asking.clear();
    return left;
  }
}
