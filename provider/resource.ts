/** What one resource of the provider implements, and what it is given. */
import type { Log } from "../config/run.ts";

export type Values = Record<string, unknown>;

/** Stands for a value that is not known yet in a preview. */
export const UNKNOWN = Symbol("unknown");

export interface Call {
  urn: string;
  log: Log;
}

export interface CheckAnswer<I> {
  inputs: I;
  failures?: { property: string; reason: string }[];
}

/**
 * One resource. `check` and `diff` run in previews too and must touch nothing; `create` and `update` are idempotent against the journal,
 * because after a kill they are called again with the same inputs although the first call may have finished.
 * Outputs are always complete: an output that is missing stays unknown for ever.
 */
export interface Resource<I = Values> {
  /** Type token, e.g. `backout:index:Fence`. */
  token: string;
  check?(inputs: I, old: I | null, call: Call): Promise<CheckAnswer<I>>;
  /** Whether `update` has anything to do. Nothing of backout's is ever replaced. */
  diff(old: I, inputs: I, call: Call): Promise<boolean>;
  create(inputs: I, call: Call): Promise<Values>;
  update(old: I, inputs: I, call: Call): Promise<Values>;
  /** Called before anything of this kind is deleted, to refuse that: for what goes only when the whole stack does. */
  beforeDelete?(values: I, call: Call): Promise<void>;
  delete?(values: I, call: Call): Promise<void>;
}
