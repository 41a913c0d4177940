/** Rows written since a snapshot of a SQLite file. Always counted: a file is read faster than an estimate would be made. */
import type { DatabaseSync } from "node:sqlite";
import type { Snapshot } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import type { AtRisk, InspectContext } from "../../engine.ts";
import { countedRisk } from "../../shared/at-risk.ts";
import { openFile } from "../database.ts";
import { insideFile } from "../fence.ts";
import { livePath } from "./places.ts";
import { inPristine } from "./pristine.ts";

export async function rowsAtRisk(at: InspectContext, database: string, snapshot: Snapshot): Promise<AtRisk> {
  const current = openFile(livePath(at.site, database), { readOnly: true });
  return count(at, database, snapshot, current).finally(() => current.close());
}

export async function rowsSince(run: Run, database: string, snapshot: Snapshot): Promise<AtRisk> {
  return insideFile(livePath(run.site, database), (current) => count(run, database, snapshot, current));
}

async function count({ definition }: Pick<InspectContext, "definition">, database: string, snapshot: Snapshot, current: DatabaseSync) {
  const { compareEverything } = await import("../comparison.ts");
  return inPristine(snapshot, async (base) => countedRisk(await compareEverything(base, current), definition.databases[database]!.tables));
}
