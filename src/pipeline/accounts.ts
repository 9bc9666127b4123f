/** On whose account a caller is, and by which tier limited, as far as the configuration knows of it. */
import type { AccessConfig } from '../config/policy-schemas.ts';

export class Accounts {
  private readonly tiers: ReadonlySet<string>;
  /** Tier by consumer; null for one without. */
  private readonly consumers: ReadonlyMap<string, string | null>;

  constructor({ tiers, consumers }: Pick<AccessConfig, 'tiers' | 'consumers'>) {
    this.tiers = new Set(Object.keys(tiers));
    this.consumers = new Map(consumers.map(({ name, tier }) => [name, tier ?? null]));
  }

  /** True for the name of a consumer that is declared. */
  isDeclared(consumer: unknown): consumer is string {
    return typeof consumer === 'string' && this.consumers.has(consumer);
  }

  /** The tier that a credential names where there is one of that name, else its consumer's; null where neither has one. */
  tierOf(named: unknown, consumer: string | null): string | null {
    if (typeof named === 'string' && this.tiers.has(named)) return named;
    return consumer === null ? null : (this.consumers.get(consumer) ?? null);
  }

  /** Alike where the answers of two are: for keys of what outlives reloads. */
  get fingerprint(): string {
    return JSON.stringify([[...this.tiers], [...this.consumers]]);
  }
}
