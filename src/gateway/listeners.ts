/** The listeners of a gateway: opened beside those that run, kept where their address stays, and drained where it goes. */
import type { Socket } from 'node:net';
import type { Allowance } from '../base/allowance.ts';
import { handleOf, type Inheritance, type InheritedSocket } from '../base/inherited.ts';
import { createCidrSet } from '../base/ip.ts';
import { TICKET_PERIOD } from '../base/ticket-seed.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { ListenerConfig, ListenerTlsConfig } from '../config/model.ts';
import { Listener, type ListenerSettings, type ListenOptions, type PreparedSettings } from '../net/listener.ts';
import type { RawHandler, RequestHandler } from '../net/stream.ts';
import type { TlsOptions } from '../net/tls-terminator.ts';

export interface ListenersDeps {
  readonly handler: RequestHandler & RawHandler;
  readonly wheel: TimerWheel;
  /** Where connections come from: an address of this process's own, or one of several processes. */
  readonly sockets: 'own' | 'reuse-port' | 'handed-over';
  /** Makes this process's part of a listener's limit, where several share it. */
  readonly shareConnections: ((listener: string, inUse: () => number) => Allowance) | null;
  /** 48 bytes for the tickets of one listener, as they are at the moment. */
  readonly ticketKeysOf: (listener: string) => Buffer;
  /** Addresses from the process whose place this one takes. */
  readonly inherited: Inheritance | undefined;
}

/** What a generation wants of listeners, built so that nothing can fail any more. */
export interface PreparedListeners {
  /** New ones, held. */
  readonly opened: readonly Listener[];
  /** What those that stay are to be. */
  readonly changes: ReadonlyMap<Listener, PreparedSettings>;
}

export class Listeners {
  private readonly deps: ListenersDeps;
  private open: Listener[] = [];
  /** Listeners of earlier generations whose last connections have not ended. */
  private leaving: Listener[] = [];
  private closed: Promise<unknown> = Promise.resolve();

  constructor(deps: ListenersDeps) {
    this.deps = deps;
  }

  get addresses(): { name: string; host: string; port: number }[] {
    return this.open.map(({ info, host }) => ({ name: info.name, host, port: info.port }));
  }

  /** Connections of clients, over all listeners. */
  get connections(): number {
    this.leaving = this.leaving.filter(({ isOver }) => !isOver);
    return [...this.open, ...this.leaving].reduce((sum, listener) => sum + listener.size, 0);
  }

  /** What a successor needs to go on with the addresses of this gateway. */
  get inheritance(): InheritedSocket[] {
    return this.open.map(({ info: { name, port }, host, anyPort, server }) => {
      return { name, host, wanted: anyPort ? 0 : port, port, handle: handleOf(server) };
    });
  }

  /**
   * Opens what is not open yet, held; rejects with the system's error, or with what OpenSSL says of a certificate, with
   * nothing new left open.
   */
  async prepare(configs: readonly ListenerConfig[]): Promise<PreparedListeners> {
    const { handler, wheel, sockets, shareConnections } = this.deps;
    const opened: Listener[] = [];
    const changes = new Map<Listener, PreparedSettings>();
    // An address that was given up just now may be wanted again.
    await this.closed;
    try {
      for (const config of configs) {
        const kept = this.open.find((listener) => isSame(config, listener));
        if (kept !== undefined) {
          changes.set(kept, kept.prepare(this.settingsOf(config)));
          continue;
        }
        const scheme = config.tls === undefined ? ('http' as const) : ('https' as const);
        const info = { name: config.name, scheme, port: config.address.port };
        const listener = new Listener(info, config.address.host, this.settingsOf(config), {
          handler,
          raw: handler,
          wheel,
          shareConnections: shareConnections === null ? undefined : (inUse) => shareConnections(config.name, inUse),
        });
        if (sockets === 'handed-over') info.port = config.address.port;
        else await listener.listen(config.address.port, this.listenOptions(config));
        opened.push(listener);
      }
    } catch (error) {
      for (const listener of opened) listener.destroy();
      throw error;
    }
    return { opened, changes };
  }

  private settingsOf(config: ListenerConfig): ListenerSettings {
    const { name, limits, mode, proxyProtocol, timeouts, tls } = config;
    const spoken = spokenAt(config);
    return {
      mode,
      proxies: proxyProtocol === undefined ? null : createCidrSet(proxyProtocol.from),
      limits: {
        streams: limits.streams,
        requestHead: limits.requestHead,
        requestBody: limits.requestBody,
        headTimeout: timeouts.requestHead,
        bodyIdle: timeouts.bodyIdle,
        keepAlive: timeouts.keepAlive,
      },
      maxConnections: limits.connections,
      tls: tls === undefined ? null : tlsOptionsOf(name, tls, spoken),
      protocols: spoken,
    };
  }

  private listenOptions({ name, address }: ListenerConfig): ListenOptions {
    // Until its generation is live there is nobody to answer.
    const held = true;
    if (this.deps.sockets !== 'own') return { reusePort: true, held };
    const inherited = this.deps.inherited?.take(name, address.host, address.port) ?? null;
    if (inherited === null) return { held };
    return inherited.handle === null ? { reusePort: true, held } : { source: inherited.handle, held };
  }

  /** From now on they are those of `configs`, for which `prepared` was made; new ones are still to be released. Cannot fail. */
  swap(configs: readonly ListenerConfig[], { opened, changes }: PreparedListeners): void {
    const kept: Listener[] = [];
    const gone: Promise<void>[] = [];
    for (const listener of this.open) {
      const change = changes.get(listener);
      if (change === undefined) {
        // Of several processes none goes on at the address: all make the same change.
        gone.push(listener.drain());
        this.leaving.push(listener);
      } else {
        listener.configure(change);
        kept.push(listener);
      }
    }
    this.open = configs.map(
      (wanted) => kept.find((l) => isSame(wanted, l)) ?? (opened.find((l) => l.info.name === wanted.name) as Listener),
    );
    this.closed = Promise.all(gone);
    this.sealTickets();
  }

  /** Settles when others can have the addresses that the last swap gave up: some turns of the event loop after it. */
  whenClosed(): Promise<unknown> {
    return this.closed;
  }

  /** Has all of them seal tickets by the keys of the moment. Those that leave too: who wants to know of the former ones finds none. */
  sealTickets(): void {
    for (const listener of [...this.open, ...this.leaving]) {
      const keys = this.deps.ticketKeysOf(listener.info.name);
      listener.sealTickets(keys);
      keys.fill(0);
    }
  }

  /** Takes a client's connection that another process accepted for the listener of this name. */
  adopt(listenerName: string, socket: Socket): void {
    const listener = this.open.find(({ info }) => info.name === listenerName);
    if (listener === undefined) socket.destroy();
    else listener.adopt(socket);
  }

  /** `within` is for how many milliseconds those that come back are waited for, where other processes are there for them. */
  async drain(within: number): Promise<void> {
    await Promise.all(this.open.map((listener) => listener.drain(within)));
  }

  destroy(): void {
    for (const listener of [...this.open, ...this.leaving]) listener.destroy();
  }
}

function isSame(config: ListenerConfig, listener: Listener): boolean {
  const { name, port } = listener.info;
  const { host, port: wanted } = config.address;
  return config.name === name && host === listener.host && (wanted === port || (wanted === 0 && listener.anyPort));
}

/** What is spoken at a listener, the preferred first. */
export function spokenAt({ protocols, tls }: ListenerConfig): readonly ('h2' | 'http/1.1')[] {
  return protocols ?? (tls === undefined ? ['http/1.1'] : ['h2', 'http/1.1']);
}

function tlsOptionsOf(name: string, tls: ListenerTlsConfig, protocols: readonly string[]): TlsOptions {
  const { certificates, clientCertificates, handshakeTimeout, minVersion, sessionTimeout } = tls;
  return {
    name,
    certificates,
    minVersion,
    clientCertificates:
      clientCertificates === undefined
        ? null
        : { ca: clientCertificates.ca, required: clientCertificates.verify === 'required' },
    handshakeTimeout,
    // Clients are not told to keep what nobody can open any more (RFC 8446 section 4.6.1, RFC 5077 section 3.3).
    sessionTimeout: Math.min(sessionTimeout, TICKET_PERIOD),
    protocols,
  };
}
