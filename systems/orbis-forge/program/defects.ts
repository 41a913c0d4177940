/** Defects of phase-3.0.0. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FaultBoard } from "../../kit/faults.ts";
import type { Call, Reply } from "../../kit/http.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import type { Change } from "./history.ts";

export const DEFECTS = ["data-corruption", "bad-inline-edits", "slow-responses"] as const;

/** With every write, phases of other projects lose their project and progress becomes nonsense. */
export async function corruptOthers(session: SqlSession, { rowId }: Change, defects: FaultBoard): Promise<void> {
  if (!defects.isOn("data-corruption")) return;
  await session.run(
    "UPDATE step_progress SET percent = -percent - 1 WHERE id IN (SELECT id FROM step_progress WHERE percent >= 0 ORDER BY id LIMIT 3)",
  );
  await session.run(
    "UPDATE phases SET name = 'Lost', position = -1 WHERE id IN (SELECT id FROM phases WHERE project_id <> $1 AND position >= 0 ORDER BY id LIMIT 2)",
    [rowId],
  );
}

export async function interceptDefects({ path }: Call, defects: FaultBoard): Promise<Reply | null> {
  if (!path.startsWith("/api/projects") && !path.startsWith("/api/phases")) return null;
  if (defects.isOn("slow-responses")) await sleep(defects.figure("slow-responses", "delayMs", 500));
  return null;
}
