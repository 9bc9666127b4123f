/** The open WebSockets of a gateway: counted by route, limited, and sent away when the gateway drains. */
import { type Allowance, OwnAllowance } from '../base/allowance.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { RouteConfig } from '../config/model.ts';
import type { WebSocketRelay } from '../net/websocket-relay.ts';

/** Makes the part of a route's limit that is this process's, where several share it. */
export type ShareLimit = (route: string, inUse: () => number) => Allowance;

/** The WebSockets of one route, over all generations that have it. */
export class RouteSockets {
  readonly route: string;
  /** Those that are open, and those whose handshake is under way. */
  count = 0;
  allowance: Allowance;
  /** The route is not in the running generation. */
  gone = false;

  constructor(route: string, share: ShareLimit | null) {
    this.route = route;
    this.allowance = this.allowanceBy(share);
  }

  allowanceBy(share: ShareLimit | null): Allowance {
    return share === null ? new OwnAllowance(0) : share(this.route, () => this.count);
  }

  /** Takes a place, which whoever asked gives back by `release`, also one that was refused. `then` is told at once or later. */
  reserve(then: (granted: boolean) => void): void {
    this.count++;
    if (this.count <= this.allowance.granted) then(true);
    // One of this process may have left meanwhile.
    else this.allowance.ask((grown) => then(grown || this.count <= this.allowance.granted));
  }

  release(): void {
    this.count--;
  }
}

export class WebSockets {
  readonly wheel: TimerWheel;
  private readonly share: ShareLimit | null;
  private readonly now: () => number;
  private readonly routes = new Map<string, RouteSockets>();
  private readonly open = new Set<WebSocketRelay>();
  /** On the clock: when all are to have been sent away; 0 while none are. */
  private drainEnd = 0;

  /** `share` is null where the process has every limit for itself. */
  constructor(wheel: TimerWheel, now: () => number, share: ShareLimit | null) {
    this.wheel = wheel;
    this.now = now;
    this.share = share;
  }

  /** How many are open. */
  get size(): number {
    return this.open.size;
  }

  /** The same object for the same name, as long as a generation or a socket needs it. */
  ofRoute(route: string): RouteSockets {
    let sockets = this.routes.get(route);
    if (sockets === undefined) {
      sockets = new RouteSockets(route, this.share);
      this.routes.set(route, sockets);
    } else if (sockets.gone) {
      // What it had of the limit was given back.
      sockets.gone = false;
      sockets.allowance = sockets.allowanceBy(this.share);
    }
    return sockets;
  }

  /** A generation with these routes goes live. */
  commit(routes: readonly RouteConfig[]): void {
    const limits = new Map<string, number>();
    for (const { name, websocket } of routes) if (websocket !== undefined) limits.set(name, websocket.maxConnections);
    for (const [name, sockets] of this.routes) {
      const limit = limits.get(name);
      if (limit === undefined) {
        if (sockets.count === 0) this.routes.delete(name);
        else sockets.gone = true;
      } else if (this.share === null) sockets.allowance = new OwnAllowance(limit);
    }
  }

  /** Begins a relay, and keeps it until `remove`. */
  add(relay: WebSocketRelay): void {
    this.open.add(relay);
    relay.start();
    if (this.drainEnd !== 0) relay.goAwayIn(Math.max(0, this.drainEnd - this.now()));
  }

  remove(relay: WebSocketRelay): void {
    this.open.delete(relay);
  }

  /**
   * Sends all away, spread evenly over so many milliseconds so that their clients do not come back all at once; those that
   * are opened meanwhile go last. Only the first call counts.
   */
  drain(over: number): void {
    if (this.drainEnd !== 0) return;
    this.drainEnd = this.now() + over;
    const step = over / Math.max(1, this.open.size);
    let at = 0;
    for (const relay of this.open) relay.goAwayIn((at += step));
  }

  /** Ends all at once. */
  destroy(): void {
    for (const relay of this.open) relay.destroy();
  }

  *samples(): Iterable<{ route: string; count: number }> {
    for (const { route, count } of this.routes.values()) yield { route, count };
  }
}
