/** What a live database descends from. Pure. */
import type { DataAction, Lineage } from "../../config/plan.ts";

/** Whether the live data has the lineage that the action asks for. */
export function satisfies(lineage: Lineage, action: DataAction): boolean {
  if (action.kind === "undo") return lineage.quarantine === action.quarantine;
  if (action.kind !== "restore") return true;
  const { snapshot } = lineage;
  return (
    lineage.quarantine === null &&
    snapshot !== null &&
    snapshot.name === action.snapshot &&
    snapshot.generation === action.generation &&
    snapshot.again === action.again
  );
}
