/** Migrations of a definition with absolute folders, and which of them a crossing runs. Pure. */
import { join } from "node:path";
import type { Migration } from "../postgres/migrations.ts";
import type { SystemDefinition } from "../systems/definition.ts";
import type { DatabasePlan } from "./plan.ts";

export function migrationsOf(definition: SystemDefinition, database: string): Migration[] {
  const described = definition.databases[database];
  return (described?.migrations ?? []).map(({ name, path }) => ({
    name,
    folder: join(definition.folder, path),
    ledger: described!.ledger,
  }));
}

/** To apply, oldest first, and to take back, newest first, by what the ledger of the database says now. */
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
