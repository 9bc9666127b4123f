/** Endpoints that register themselves, for as long as they say that they are there: they run beside those of the file. */
import type { Clock, TimerHandle, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import { endpointId } from '../upstream/endpoint.ts';

/** What an endpoint registers with. */
export interface Registration {
  readonly url: string;
  readonly weight: number;
  /** Milliseconds between two heartbeats, at most; null for one that stays until it is taken out. */
  readonly ttl: number | null;
}

/** A registered endpoint, as plain data: what a successor is given. */
export interface Lease extends Registration {
  readonly service: string;
  readonly drain: boolean;
}

interface Entry extends Lease {
  /** When it lapses, on the clock; never is Infinity. */
  readonly until: number;
}

export interface EndpointRegistryDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Has the gateway run with what is registered now. */
  readonly refresh: () => Promise<void>;
}

/** Of one service. More are refused: nobody has that many, and each is memory. */
export const MOST_REGISTERED = 10_000;

/** Milliseconds between two generations: with thousands of endpoints each is work that keeps requests waiting. */
const PAUSE = 50;

export class EndpointRegistry {
  private readonly deps: EndpointRegistryDeps;
  private readonly entries = new Map<string, Map<string, Entry>>();
  private timer: TimerHandle | null = null;
  /** When the timer goes off, on the clock. */
  private looksAt = Number.POSITIVE_INFINITY;
  /** A refresh that has not begun: what comes meanwhile goes with it. */
  private next: Promise<void> | null = null;
  /** Resolves when the next refresh may begin. */
  private rested: Promise<void> = Promise.resolve();

  constructor(deps: EndpointRegistryDeps, leases: readonly Lease[] = []) {
    this.deps = deps;
    for (const lease of leases) this.set(lease);
  }

  /** What a successor goes on with. */
  get leases(): Lease[] {
    return [...this.entries.values()].flatMap((entries) =>
      [...entries.values()].map(({ service, url, weight, ttl, drain }) => ({ service, url, weight, ttl, drain })),
    );
  }

  of(service: string): ReadonlyMap<string, Lease> {
    return this.entries.get(service) ?? new Map();
  }

  /** The configuration with what is registered for its services. */
  overlay(config: GatewayConfig): GatewayConfig {
    if (this.entries.size === 0) return config;
    const services = config.services.map((service) => {
      const registered = this.of(service.name);
      if (registered.size === 0) return service;
      const written = new Set(service.endpoints.map(({ url }) => endpointId(url)));
      const added = [...registered]
        .filter(([id]) => !written.has(id))
        .map(([, { url, weight, drain }]) => ({ url, weight, ...(drain ? { drain } : {}) }));
      return { ...service, endpoints: [...service.endpoints, ...added] };
    });
    return { ...config, services };
  }

  /** Registers it, or renews it with what it says now; answers its id. Rejects, with nothing changed, when it cannot run. */
  async register(service: string, registration: Registration): Promise<string> {
    const id = endpointId(registration.url);
    const before = this.of(service).get(id);
    this.set({ ...registration, service, drain: before?.drain ?? false });
    if (before?.url === registration.url && before.weight === registration.weight) return id;
    try {
      await this.refresh();
    } catch (error) {
      if (before === undefined) this.remove(service, id);
      else this.set(before);
      throw error;
    }
    return id;
  }

  /** False when no such endpoint is registered: it never was, or it lapsed. */
  heartbeat(service: string, id: string): boolean {
    const entry = this.entries.get(service)?.get(id);
    if (entry === undefined) return false;
    this.set(entry);
    return true;
  }

  async drain(service: string, id: string, drain: boolean): Promise<boolean> {
    const entry = this.entries.get(service)?.get(id);
    if (entry === undefined) return false;
    // Not a heartbeat: it may be gone for all that an operator knows.
    this.entries.get(service)?.set(id, { ...entry, drain });
    await this.refresh();
    return true;
  }

  async deregister(service: string, id: string): Promise<boolean> {
    if (!this.remove(service, id)) return false;
    await this.refresh();
    return true;
  }

  close(): void {
    if (this.timer !== null) this.deps.timers.clearTimeout(this.timer);
    this.timer = null;
    this.looksAt = Number.POSITIVE_INFINITY;
  }

  private set({ service, url, weight, ttl, drain }: Lease): void {
    const until = ttl === null ? Number.POSITIVE_INFINITY : this.deps.clock.now() + ttl;
    const entries = this.entries.get(service) ?? new Map<string, Entry>();
    entries.set(endpointId(url), { service, url, weight, ttl, drain, until });
    this.entries.set(service, entries);
    this.scheduleAt(until);
  }

  private remove(service: string, id: string): boolean {
    const entries = this.entries.get(service);
    const was = entries?.delete(id) ?? false;
    if (entries?.size === 0) this.entries.delete(service);
    return was;
  }

  /** Many that come at once, or one soon after the other, make one new generation. */
  private refresh(): Promise<void> {
    this.next ??= this.rested.then(() => {
      this.next = null;
      const refreshed = this.deps.refresh();
      const pause = new Promise<void>((resolve) => this.deps.timers.setTimeout(resolve, PAUSE));
      this.rested = refreshed.then(
        () => pause,
        () => pause,
      );
      return refreshed;
    });
    return this.next;
  }

  /** Looks again when the next one may lapse. */
  private schedule(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const entries of this.entries.values())
      for (const { until } of entries.values()) first = Math.min(first, until);
    this.close();
    this.scheduleAt(first);
  }

  /** A look that comes too early does no harm; one look at all of them for each heartbeat would. */
  private scheduleAt(until: number): void {
    if (until >= this.looksAt) return;
    this.close();
    this.looksAt = until;
    this.timer = this.deps.timers.setTimeout(() => this.lapse(), Math.max(0, until - this.deps.clock.now()));
  }

  private lapse(): void {
    const { clock, logger } = this.deps;
    const now = clock.now();
    let lapsed = 0;
    for (const entries of [...this.entries.values()]) {
      for (const [id, { service, until }] of [...entries]) {
        if (until > now) continue;
        this.remove(service, id);
        lapsed++;
        logger.warn('a registered endpoint has lapsed', { service, endpoint: id });
      }
    }
    this.schedule();
    if (lapsed === 0) return;
    this.refresh().catch((error: unknown) => {
      logger.error('what lapsed could not be taken out', { error });
    });
  }
}
