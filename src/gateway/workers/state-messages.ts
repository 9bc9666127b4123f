/** What a worker asks of the state that its supervisor keeps for policies, and what it is told. */
import type { FoundKey } from '../../state/keys/api-key.ts';
import type { Decision, Take } from '../../state/limits/limits.ts';
import type { SlotOutcome, SlotRule } from '../../state/slots.ts';

/** Takes of one request, from what the workers of this gateway have together. */
export interface TakeQuestion {
  readonly id: number;
  readonly takes: readonly Take[];
}

/** Questions have an `id` that their answer repeats; ids are a worker's own. */
export type StateQuestion =
  /** Those of one turn together. */
  | { readonly type: 'take'; readonly questions: readonly TakeQuestion[] }
  | { readonly type: 'wish'; readonly id: number; readonly key: string; readonly rule: SlotRule }
  /** Gives a slot back, or leaves the line; of the wish of this id. */
  | { readonly type: 'release'; readonly id: number }
  | { readonly type: 'find-key'; readonly id: number; readonly key: string }
  | { readonly type: 'key-used'; readonly key: string };

export type StateAnswer =
  | { readonly type: 'decided'; readonly answers: readonly { readonly id: number; readonly decision: Decision }[] }
  | { readonly type: 'slot'; readonly id: number; readonly outcome: SlotOutcome }
  | { readonly type: 'key'; readonly id: number; readonly found: FoundKey; readonly error: null }
  | { readonly type: 'key'; readonly id: number; readonly found: null; readonly error: string }
  /** What is known of the key is old; without one, of all keys. */
  | { readonly type: 'key-changed'; readonly key: string | null };
