/** What policies remember beyond one request and one generation, whoever keeps it. */
import type { KeyDirectory } from './keys/api-key.ts';
import type { Limits, LimitsOptions } from './limits/limits.ts';
import type { Slots } from './slots.ts';

export interface SharedState {
  limits(options: LimitsOptions): Limits;
  readonly slots: Slots;
  readonly keys: KeyDirectory;
}
