/** The admin listener of a running gateway: a reload may open it, move it, give it another token, or turn it off. */
import { type Admin, createAdmin, requireToken } from '../admin/server.ts';
import type { AdminSource } from '../admin/source.ts';
import { type Address, formatAddress } from '../base/address.ts';
import { OperatorError } from '../base/errors.ts';
import { handleOf, type Inheritance, type InheritedSocket } from '../base/inherited.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { AuditEvent } from '../observability/audit-trail.ts';

/** The admin listener among inherited sockets; no listener's name has a space. */
export const ADMIN = ' admin';

export interface AdminListenerDeps {
  readonly source: AdminSource;
  readonly logger: Logger;
  readonly audit: (event: AuditEvent) => void;
  readonly inherited?: Inheritance | undefined;
}

type AdminConfig = NonNullable<GatewayConfig['admin']>;

interface Held {
  readonly admin: Admin;
  readonly wanted: AdminConfig;
  /** Where it listens in fact. */
  readonly address: Address;
}

/** A change that is ready. One of the two is called, once. */
export interface AdminChange {
  /** Cannot fail. */
  commit(): void;
  /** Nothing has changed. */
  discard(): Promise<void>;
}

export class AdminListener {
  private readonly deps: AdminListenerDeps;
  private held: Held | null = null;
  private closed = false;
  /** Former ones, until their last requests have ended. */
  private readonly leaving = new Set<Promise<void>>();

  constructor(deps: AdminListenerDeps) {
    this.deps = deps;
  }

  get address(): Address | null {
    return this.held?.address ?? null;
  }

  /** What a successor needs to go on with the address. */
  get inheritance(): InheritedSocket[] {
    if (this.held === null) return [];
    const { admin, wanted, address } = this.held;
    const { host, port } = wanted.address;
    return [{ name: ADMIN, host, wanted: port, port: address.port, handle: handleOf(admin.server) }];
  }

  /** Opens what `wanted` needs, beside what is open. Rejects with `OperatorError`, with nothing changed, when it cannot. */
  async prepare(wanted: AdminConfig | undefined): Promise<AdminChange> {
    const { held } = this;
    if (held !== null && wanted !== undefined && isSame(held.wanted.address, wanted.address)) {
      requireToken(wanted.address, wanted.token);
      const commit = (): void => {
        // The same token keeps its account of wrong ones.
        if (wanted.token !== held.wanted.token) held.admin.setToken(wanted.token);
        this.held = { ...held, wanted };
      };
      return { commit, discard: () => Promise.resolve() };
    }
    const opened = wanted === undefined ? null : await this.open(wanted);
    return {
      commit: () => this.replace(held, opened),
      discard: () => opened?.admin.close() ?? Promise.resolve(),
    };
  }

  private async open(wanted: AdminConfig): Promise<Held> {
    const { source, logger, audit, inherited } = this.deps;
    const { address, token } = wanted;
    const handle = inherited?.take(ADMIN, address.host, address.port)?.handle ?? null;
    const admin = createAdmin({ address, token, logger, audit, source, inherited: handle });
    try {
      return { admin, wanted, address: await admin.listen() };
    } catch (error) {
      if (address.port !== this.held?.address.port) throw error;
      const running = formatAddress(this.held.address);
      throw new OperatorError(`${(error as Error).message}; the running one is on ${running}: take another port`);
    }
  }

  private replace(former: Held | null, opened: Held | null): void {
    if (former !== null) {
      const token = opened?.wanted.token;
      // Its last requests, too, are of the time after the change.
      if (token !== undefined && token !== former.wanted.token) former.admin.setToken(token);
      this.leave(former);
    }
    // The gateway began to stop meanwhile.
    if (this.closed && opened !== null) return this.leave(opened);
    this.held = opened;
    if (former === null && opened === null) return;
    const { logger } = this.deps;
    if (opened === null) logger.info('the admin listener is closed', {});
    else if (former !== null) logger.info('the admin listener has moved', { address: formatAddress(opened.address) });
  }

  /** Ends answers that go on, such as that of `/events`: the gateway stops. */
  endLasting(): void {
    this.held?.admin.endLasting();
  }

  private leave({ admin }: Held): void {
    const left = admin.close().finally(() => this.leaving.delete(left));
    this.leaving.add(left);
  }

  /** For good: what is still being opened closes too. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.held !== null) this.leave(this.held);
    this.held = null;
    await Promise.all(this.leaving);
  }
}

function isSame(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port;
}
