/** What a definition may leave to backout: the list of migrations in a folder, and which ledger keeps them. */
import { isAbsolute } from "node:path";
import { readMigrations } from "../migrations/read-folder.ts";
import type { Fail } from "./rule.ts";

/**
 * The definition with every folder of migrations read and every ledger named; the same object where nothing was left out. Whatever else is wrong is
 * left for the rules to report.
 */
export function withMigrations(given: unknown, fail: Fail): unknown {
  const { folder, databases } = (given ?? {}) as { folder?: unknown; databases?: unknown };
  if (typeof folder !== "string" || !isAbsolute(folder) || typeof databases !== "object" || databases === null) return given;
  let changed = false;
  const normal = Object.entries(databases).map(([name, described]: [string, unknown]) => {
    if (typeof described !== "object" || described === null) return [name, described];
    const { migrations, ledger } = described as { migrations?: unknown; ledger?: unknown };
    if (typeof migrations !== "string" && ledger !== undefined) return [name, described];
    changed = true;
    const named = { ...described, ledger: ledger ?? "auto" };
    if (typeof migrations !== "string") return [name, named];
    try {
      return [name, { ...named, ...readMigrations(folder, migrations) }];
    } catch (error) {
      fail(`databases.${name}.migrations`, migrations, (error as Error).message);
      return [name, { ...named, migrations: [] }];
    }
  });
  return changed ? { ...(given as object), databases: Object.fromEntries(normal) as unknown } : given;
}
