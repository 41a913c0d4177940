/**
 * What a verb is about to do, recorded beside the data before it writes a pin: the stack file alone does not say which verb wrote its pins.
 * The next verb reads it and resumes; `undo` reads it for keys that are no pins.
 */
import type { PinEdit } from "../config/edit.ts";
import type { StateStore } from "../config/record.ts";

export interface Intent {
  verb: "deploy" | "rollback" | "undo" | "constraint" | "recover";
  /** The request as text: same words, same goal. */
  goal: string;
  /** The words after `backout`, to type again. */
  command: string;
  runId: string;
  reason: string | null;
  /** Hash of the pins that it leads to. */
  rollout: string;
  /** Epoch of the last rollout when it was recorded; 0: none. */
  after: number;
  /** Edits of whole keys. */
  edits: PinEdit[];
  /** Former values of these keys, and of freeze, blocked releases and the like; null: absent. */
  before: Record<string, unknown>;
  /** Hash of the pins in the stack file before. */
  was?: string;
  /** For `deploy`: why its release failed, so that it rolls back. */
  failed?: string;
}

const KEY = "intent";

export async function keptIntent(state: StateStore): Promise<Intent | null> {
  return state.kept<Intent>(KEY);
}

/** @param intent null removes it. */
export async function keepIntent(state: StateStore, intent: Intent | null): Promise<void> {
  if (intent === null) await state.forget(KEY);
  else await state.keep(KEY, intent);
}
