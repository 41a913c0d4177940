/** Views, policies and triggers recorded before the deployment must exist again; no row may have a broken reference. */
import { findOrphans, sequencesBehind, staleViews } from "../../../databases/postgres/integrity.ts";
import type { SchemaObjects } from "../../../config/system/schema-objects.ts";
import { objectDifferences, readObjects, type ObjectKind } from "../../../databases/postgres/schema-objects.ts";
import type { CheckContext } from "../../../config/system/check.ts";
import { DATABASE } from "../database.ts";
import { check, failed, onPhase1, passed, skipped, type Outcome } from "./outcome.ts";

export const materialisedViews = check("materialised-views", "Materialised views exist as recorded, and are refreshed", async (context) => {
  const database = await context.database(DATABASE);
  const recorded = await compareRecorded(context, ["materializedViews"]);
  if (recorded.status === "failed") return recorded;
  const stale = await staleViews(database);
  // Users of an open system write between two refreshes: then only one that was never filled is wrong.
  const wrong = context.open ? stale.filter((line) => line.endsWith("is not filled")) : stale;
  return wrong.length > 0 ? failed(wrong.join("; ")) : passed(`every materialised view holds the rows of its query; ${recorded.detail}`);
});

export const rlsPolicies = check(
  "rls-policies",
  "Row level security and its policies are those recorded before the deployment",
  (context) => compareRecorded(context, ["policies", "rowSecurity"]),
);

export const triggersRecorded = check(
  "triggers-recorded",
  "Triggers and their functions are those recorded before the deployment",
  (context) => compareRecorded(context, ["triggers", "functions", "constraints"]),
);

async function compareRecorded(context: CheckContext, kinds: ObjectKind[]): Promise<Outcome> {
  const now = await readObjects(await context.database(DATABASE));
  const seen = kinds.map((kind) => `${Object.keys(now[kind]).length} ${kind}`).join(", ");
  const exact = context.recorded?.[DATABASE];
  if (exact !== undefined) return told(objectDifferences(exact, now, kinds, { exact: true }), `${seen}, as recorded`);
  if (onPhase1(context) && context.baseline !== null && context.baseline.release !== "phase-1" && context.baseline.release !== "")
    return failed("nothing was recorded at Phase 1: nothing to compare");
  const before: SchemaObjects | undefined = context.baseline?.objects?.[DATABASE];
  if (before === undefined) return skipped(`nothing was recorded before; found ${seen}`);
  return told(objectDifferences(before, now, kinds, { exact: false }), `${seen}; including all that were recorded before`);
}

function told(differences: string[], otherwise: string): Outcome {
  return differences.length > 0 ? failed(differences.slice(0, 5).join("; ")) : passed(otherwise);
}

export const noOrphans = check("no-orphans", "No row refers to a missing row", async (context) => {
  const orphans = await findOrphans(await context.database(DATABASE));
  if (orphans.length > 0)
    return failed(orphans.map(({ rows, table, constraint }) => `${rows} rows of ${table} (${constraint})`).join("; "));
  return passed("every foreign key finds its row");
});

export const sequences = check("sequences", "No sequence is behind its column", async (context) => {
  const behind = await sequencesBehind(await context.database(DATABASE));
  return behind.length > 0 ? failed(behind.join("; ")) : passed("the next value of every sequence is free");
});
