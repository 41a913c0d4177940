/** Migrations of a definition with absolute folders, and which of them a rollout runs. Pure. */
import { join } from "node:path";
import type { MigrationState } from "./status.ts";
import type { Ledger } from "./ledger.ts";
import type { Migration, ScriptFile } from "./script.ts";
import type { ScriptPlace } from "../../../config/system/migration.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { RecordedMigrations } from "../../../config/system/check.ts";
import type { DatabaseFacts, DatabasePlan } from "../../../config/plan.ts";

/** @param ledger the one that the database has. Absent: the declared one */
export function migrationsOf(definition: SystemDefinition, database: string, ledger?: Ledger): Migration[] {
  const described = definition.databases[database];
  const kept = ledger ?? (described?.ledger === "auto" ? undefined : described?.ledger);
  const list = described?.migrations ?? [];
  return list.map(({ name, path, version, after, scripts }, index) => ({
    name,
    folder: join(definition.folder, path),
    ...(kept === undefined ? {} : { ledger: kept }),
    ...(version === undefined ? {} : { version }),
    ...(after === undefined ? {} : { after }),
    ...(index === 0 ? {} : { previous: list[index - 1]!.name }),
    ...(scripts === undefined ? {} : scripts === "tool" ? { byTool: true as const } : { scripts: absolute(definition.folder, scripts) }),
  }));
}

function absolute(folder: string, { up, down }: { up: ScriptPlace; down?: ScriptPlace }): NonNullable<Migration["scripts"]> {
  const file = ({ file, sections }: ScriptPlace): ScriptFile => ({
    path: join(folder, file),
    ...(sections === undefined ? {} : { sections }),
  });
  return { up: file(up), ...(down === undefined ? {} : { down: file(down) }) };
}

/** What the ledger says, as facts of a database. */
export function ledgerFacts(
  { states, head }: { states: readonly Pick<MigrationState, "name" | "status" | "clean">[]; head: string | null },
  ledger: Ledger,
): Pick<DatabaseFacts, "applied" | "failed" | "unfinished" | "unknown" | "ledger" | "head"> {
  const named = (fits: (state: Pick<MigrationState, "status" | "clean">) => boolean): string[] =>
    states.filter(fits).map(({ name }) => name);
  const unfinished = named(({ status, clean }) => status === "failed" && !clean);
  const unknown = named(({ status }) => status === "unknown");
  return {
    applied: named(({ status }) => status === "applied" || status === "modified"),
    failed: named(({ status }) => status === "failed"),
    ...(unfinished.length === 0 ? {} : { unfinished }),
    ...(unknown.length === 0 ? {} : { unknown }),
    ledger,
    head,
  };
}

/** What is kept of them beside a copy; null where the ledger says nothing, or could not be read. */
export function recordedMigrations({ applied, failed, unfinished = [], unknown = [], head }: DatabaseFacts): RecordedMigrations | null {
  if (applied.length + failed.length + unknown.length === 0) return null;
  return { applied, unfinished, unknown, ...(head == null ? {} : { head }) };
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
