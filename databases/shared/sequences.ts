/** Sequences that moved between two states of a database. Pure. */
import type { NotCompared } from "./not-compared.ts";

export interface SequenceState {
  /** Last value it gave; null: none yet, or not readable. */
  value: string | null;
  /** Whether a column of a table takes its values: they are in that table's rows. */
  feeds: boolean;
}

/** Last values by sequence, of those that moved. */
export type SequenceMoves = Record<string, { base: string | null; current: string | null }>;

/** A sequence that no table's rows tell of gives the same numbers again after a restore. */
export function movedSequences(
  base: Map<string, SequenceState>,
  current: Map<string, SequenceState>,
): { moves: SequenceMoves; notCompared: NotCompared[] } {
  const moved = [...current].filter(([name, { value }]) => value !== (base.get(name)?.value ?? null));
  return {
    moves: Object.fromEntries(moved.map(([name, { value }]) => [name, { base: base.get(name)?.value ?? null, current: value }])),
    notCompared: moved
      .filter(([name, { feeds }]) => !feeds && base.has(name))
      .map(([name, { value }]) => ({
        name,
        kind: "sequence",
        why: `it stood at ${base.get(name)?.value ?? "its start"} and stands at ${value ?? "its start"}: a restore lets it give the same numbers again`,
        mayBeLost: true,
      })),
  };
}
