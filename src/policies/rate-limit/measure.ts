/** A limit that requests are held to: its rule, and what answers and metrics say of it. */
import { FixedLine } from '../../http/header-edits.ts';
import type { Cell, CellFamily } from '../../observability/metrics/registry.ts';
import type { LimitRule } from '../../state/limits/limits.ts';
import type { RateLimitOptions } from './schema.ts';

/** Which of the fields with `X-` tell of it. */
export type Kind = 'rate' | 'day' | 'month';

/** How the names of its fields begin. */
export const FIELDS: Readonly<Record<Kind, string>> = {
  rate: 'X-RateLimit',
  day: 'X-RateLimit-Daily',
  month: 'X-RateLimit-Monthly',
};

interface Counters {
  readonly allowed: Cell;
  readonly refused: Cell;
  readonly shadowRefused: Cell;
}

export class Measure {
  readonly rule: LimitRule;
  readonly name: string;
  readonly kind: Kind;
  readonly shadow: boolean;
  /** Whether the fields with `X-` tell of it, and those of the IETF. A limit in shadow is not for clients to see. */
  readonly legacy: boolean;
  readonly standard: boolean;
  /** `X-RateLimit-Limit` or the like. */
  readonly limitLine: FixedLine;
  /** `X-RateLimit-Tier`; null where it belongs to none. */
  readonly tierLine: FixedLine | null;
  /** The tier that it belongs to; `''` where it is none's. */
  readonly tier: string;
  /** Where more can be had. */
  readonly upgradeUrl: string | undefined;
  /** Most units that can be left. */
  readonly capacity: number;
  /** Its item of `RateLimit-Policy`. */
  readonly policyItem: string;
  /** How its item of `RateLimit` begins. */
  readonly itemStart: string;
  private readonly family: CellFamily;
  private route: string | null = null;
  private counters: Counters | null = null;

  constructor(rule: LimitRule, name: string, kind: Kind, tier: string, options: RateLimitOptions, family: CellFamily) {
    const { mode, headers } = options;
    this.rule = rule;
    this.name = name;
    this.kind = kind;
    this.tier = tier;
    this.upgradeUrl = options.upgradeUrl;
    this.shadow = mode === 'shadow';
    this.legacy = !this.shadow && (headers === 'legacy' || headers === 'both');
    this.standard = !this.shadow && (headers === 'standard' || headers === 'both');
    this.capacity = rule.burst;
    this.limitLine = new FixedLine(`${FIELDS[kind]}-Limit`, String(rule.burst));
    this.tierLine = tier === '' ? null : new FixedLine('X-RateLimit-Tier', tier);
    this.policyItem = policyItem(rule, name);
    this.itemStart = `"${name}";r=`;
    this.family = family;
  }

  /** Where the requests of a route are counted. */
  of(route: string): Counters {
    // A limit of the whole gateway goes from route to route; one of a route stays.
    if (this.counters === null || this.route !== route) {
      this.route = route;
      this.counters = {
        allowed: this.family.cell(route, this.name, 'allowed'),
        refused: this.family.cell(route, this.name, 'refused'),
        shadowRefused: this.family.cell(route, this.name, 'shadow_refused'),
      };
    }
    return this.counters;
  }
}

/** As draft-ietf-httpapi-ratelimit-headers, section 3, has it: names are of characters that a String can hold. */
function policyItem({ limit, period, burst }: LimitRule, name: string): string {
  // The window is whole seconds (section 3.1.3).
  const window = period % 1000 === 0 ? `;w=${period / 1000}` : '';
  return `"${name}";q=${limit}${window}${burst === limit ? '' : `;portico-burst=${burst}`}`;
}
