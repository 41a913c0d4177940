/**
 * What a verb is about to do, kept beside the data before it writes a pin: the stack file alone cannot say whose pins it holds. Read again by the
 * next verb, which goes on with it; and by `undo`, for what is no pin of a rollout.
 */
import type { PinEdit } from "../config/edit.ts";
import type { StateStore } from "../config/record.ts";

export interface Intent {
  verb: "deploy" | "rollback" | "undo" | "constraint" | "recover";
  /** What was asked for, as text: the same words, the same goal. */
  goal: string;
  /** What follows `backout`, to be typed again. */
  command: string;
  runId: string;
  reason: string | null;
  /** Hash of the pins it leads to. */
  rollout: string;
  /** Epoch of the last rollout when it was kept; 0 where there was none. */
  after: number;
  /** Each of a whole key. */
  edits: PinEdit[];
  /** What the stack file said of these keys before, and of freeze, blocked releases, and the like; null where it said nothing. */
  before: Record<string, unknown>;
  /** Hash of the pins it asked for before. */
  was?: string;
  /** Of `deploy`: it goes back, because its release failed like this. */
  failed?: string;
}

const KEY = "intent";

export async function keptIntent(state: StateStore): Promise<Intent | null> {
  return state.kept<Intent>(KEY);
}

/** @param intent null: there is none any more. */
export async function keepIntent(state: StateStore, intent: Intent | null): Promise<void> {
  if (intent === null) await state.forget(KEY);
  else await state.keep(KEY, intent);
}
