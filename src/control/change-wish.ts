/** What may be wished of the configuration, and how such a wish ends. */
import type { ErrorCode } from '../base/errors.ts';
import type { Finding } from '../config/finding.ts';
import type { Change, ChangeSummary } from '../config/plan/change.ts';
import type { ValuePath } from '../config/source-tree.ts';

/** How a wish to change the configuration ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly changed: boolean; readonly warnings: readonly Finding[] }
  | { readonly kind: 'planned'; readonly plan: Plan; readonly warnings: readonly Finding[] }
  | { readonly kind: 'invalid'; readonly findings: readonly Finding[] }
  | Refusal;

export interface Refusal {
  readonly kind: 'refused';
  readonly code: Extract<ErrorCode, 'bad_request' | 'resource_not_found' | 'conflict' | 'precondition_failed'>;
  readonly reason: string;
}

export interface Plan {
  readonly changes: readonly Change[];
  readonly summary: ChangeSummary;
}

export interface ChangeWish {
  /** `api` or `rollback`. */
  readonly cause: string;
  /** Who wishes it, for the log. */
  readonly by: string;
  /** Entity tags of which the running one must be one; null for any. */
  readonly ifMatch: readonly string[] | null;
  /** Only tells what would change. */
  readonly dryRun?: boolean;
}

/** A value to be put at a path of what is written; `undefined` takes out what stands there. */
export interface Edit {
  readonly path: ValuePath;
  readonly value: unknown;
}
