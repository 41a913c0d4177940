/** Migrations of a definition with absolute folders, and which of them a rollout runs. Pure. */
import { join } from "node:path";
import type { MigrationState } from "./status.ts";
import type { Migration } from "./script.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { RecordedMigrations } from "../../../config/system/check.ts";
import type { DatabaseFacts, DatabasePlan } from "../../../config/plan.ts";

export function migrationsOf(definition: SystemDefinition, database: string): Migration[] {
  const described = definition.databases[database];
  return (described?.migrations ?? []).map(({ name, path }) => ({
    name,
    folder: join(definition.folder, path),
    ledger: described!.ledger,
  }));
}

/** What the ledger's states say, as facts of a database. */
export function ledgerFacts(
  states: readonly Pick<MigrationState, "name" | "status" | "clean">[],
): Pick<DatabaseFacts, "applied" | "failed" | "unfinished" | "unknown"> {
  const named = (fits: (state: Pick<MigrationState, "status" | "clean">) => boolean): string[] =>
    states.filter(fits).map(({ name }) => name);
  const unfinished = named(({ status, clean }) => status === "failed" && !clean);
  const unknown = named(({ status }) => status === "unknown");
  return {
    applied: named(({ status }) => status === "applied" || status === "modified"),
    failed: named(({ status }) => status === "failed"),
    ...(unfinished.length === 0 ? {} : { unfinished }),
    ...(unknown.length === 0 ? {} : { unknown }),
  };
}

/** What is kept of them beside a copy; null where the ledger says nothing, or could not be read. */
export function recordedMigrations({ applied, failed, unfinished = [], unknown = [] }: DatabaseFacts): RecordedMigrations | null {
  return applied.length + failed.length + unknown.length === 0 ? null : { applied, unfinished, unknown };
}

/** Migrations to apply, oldest first, and to roll back, newest first, by what the database's ledger says now. */
export function migrationsToRun(
  known: readonly Migration[],
  statuses: readonly { name: string; status: string }[],
  needs: string | undefined,
  plan: DatabasePlan,
): { up: Migration[]; back: Migration[] } {
  const applied = new Set(statuses.filter(({ status }) => status === "applied" || status === "modified").map(({ name }) => name));
  const needed = known.findIndex(({ name }) => name === needs);
  const standing = (name: string): boolean =>
    applied.has(name) || statuses.some((status) => status.name === name && status.status === "failed");
  const beyond = known
    .slice(needed + 1)
    .reverse()
    .filter(({ name }) => standing(name));
  return {
    up: known.slice(0, needed + 1).filter(({ name }) => !applied.has(name)),
    back: plan.back.length > 0 || plan.action.kind === "undo" ? beyond : [],
  };
}
