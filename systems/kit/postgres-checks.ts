/** Checks of a PostgreSQL database, whatever system it belongs to. */
import { join } from "node:path";
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import type { LedgerName } from "../../config/system/ledgers.ts";
import { readMigrations } from "../../config/migrations/read-folder.ts";
import { findOrphans, sequencesBehind, staleViews } from "../../databases/postgres/integrity.ts";
import { appliedMigrations } from "../../databases/postgres/migrations.ts";
import { objectDifferences, readObjects, type ObjectKind } from "../../databases/postgres/schema-objects.ts";
import { check, failed, passed, skipped, type Outcome } from "../../rollout/verification/outcome.ts";

/** Passes where there is no problem. */
export const told = (problems: string[], otherwise: string): Outcome =>
  problems.length > 0 ? failed(problems.slice(0, 5).join("; ")) : passed(otherwise);

export const orphansCheck = (database: string): CheckDefinition =>
  check("no-orphans", "No row refers to a missing row", async (context) => {
    const orphans = await findOrphans(await context.database(database));
    return told(
      orphans.map(({ rows, table, constraint }) => `${rows} rows of ${table} (${constraint})`),
      "every foreign key finds its row",
    );
  });

export const sequencesCheck = (database: string): CheckDefinition =>
  check("sequences", "No sequence is behind its column", async (context) =>
    told(await sequencesBehind(await context.database(database)), "the next value of every sequence is free"),
  );

/** What a release's objects are compared with. */
export interface Recorded {
  database: string;
  /** The service and release whose objects must have been recorded. */
  service: string;
  release: string;
}

/** Policies, triggers and whatever else was recorded before the deployment must exist again. */
export const recordedCheck = (id: string, what: string, of: Recorded, kinds: ObjectKind[]): CheckDefinition =>
  check(id, `${what} are those recorded before the deployment`, (context) => compareRecorded(context, of, kinds));

export const viewsCheck = (of: Recorded): CheckDefinition =>
  check("materialised-views", "Materialised views exist as recorded, and are refreshed", async (context) => {
    const recorded = await compareRecorded(context, of, ["materializedViews"]);
    if (recorded.status === "failed") return recorded;
    const stale = await staleViews(await context.database(of.database));
    // Users of an open system write between two refreshes: then only one that was never filled is wrong.
    const wrong = context.open ? stale.filter((line) => line.endsWith("is not filled")) : stale;
    return told(wrong, `every materialised view holds the rows of its query; ${recorded.detail}`);
  });

async function compareRecorded(context: CheckContext, { database, service, release }: Recorded, kinds: ObjectKind[]): Promise<Outcome> {
  const now = await readObjects(await context.database(database));
  const seen = kinds.map((kind) => `${Object.keys(now[kind]).length} ${kind}`).join(", ");
  const exact = context.recorded?.[database];
  if (exact !== undefined) return told(objectDifferences(exact, now, kinds, { exact: true }), `${seen}, as recorded`);
  const { baseline } = context;
  if (context.releases[service] === release && baseline !== null && baseline.release !== release && baseline.release !== "")
    return failed(`nothing was recorded at ${release}: nothing to compare`);
  const before = baseline?.objects?.[database];
  if (before === undefined) return skipped(`nothing was recorded before; found ${seen}`);
  return told(objectDifferences(before, now, kinds, { exact: false }), `${seen}; including all that were recorded before`);
}

/** @param folder the system's, with its migrations in `migrations` */
export const migrationsCheck = (database: string, ledger: LedgerName, folder: string, service: string): CheckDefinition =>
  check("no-migration-errors", "No migration is half applied or newer than the release", async (context) => {
    const listed = readMigrations(folder, "migrations").migrations.map(({ name, path }) => ({ name, folder: join(folder, path), ledger }));
    const states = await appliedMigrations(await context.database(database), ledger, listed);
    const wrong = states.filter(({ status }) => status === "failed" || status === "unknown" || status === "modified");
    if (wrong.length > 0) return failed(wrong.map(({ name, status }) => `${name} is ${status}`).join("; "));
    const applied = states.filter(({ status }) => status === "applied").map(({ name }) => name);
    const newest = applied.at(-1) ?? "none";
    const gap = states.findIndex(({ status }) => status === "pending");
    if (gap >= 0 && gap < applied.length) return failed(`${states[gap]!.name} is not applied, but ${newest} is`);
    const lines = (await context.errorLog(service, 100)).filter((line) => /migration/i.test(line));
    if (lines.length > 0) return failed(`the error log mentions a migration: ${lines.at(-1)!.slice(0, 200)}`);
    return passed(`${applied.length} migrations are applied, the newest is ${newest}`);
  });
