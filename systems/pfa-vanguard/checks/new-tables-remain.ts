import { DROP_SYNC_TABLES } from "../actions.ts";
import { SYNC_MIGRATION, SYNC_TABLES } from "../database.ts";
import { check, failed, passed, skipped } from "../../kit/outcome.ts";

/** After a rollback that keeps or marks the schema its tables are expected; after one that reverts it they are forbidden. */
export const newTablesRemain = check(
  "new-tables-remain",
  "Tables of the newer schema exist, or are removed, as declared",
  async (context) => {
    const database = await context.database("pfa");
    const present = async (): Promise<string[]> => {
      const { rows } = await database.query<{ name: string }>(
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
        [SYNC_TABLES],
      );
      return rows.map((row) => row.name);
    };
    const ledger = await database.query<{ known: boolean }>("SELECT to_regclass('_prisma_migrations') IS NOT NULL AS known");
    const rows =
      ledger.rows[0]?.known === true
        ? (
            await database.query<{ applied: boolean }>(
              "SELECT finished_at IS NOT NULL AND rolled_back_at IS NULL AS applied FROM _prisma_migrations WHERE migration_name = $1 ORDER BY started_at DESC",
              [SYNC_MIGRATION],
            )
          ).rows
        : [];
    const tables = await present();
    const applied = rows[0]?.applied === true;
    if (context.schema === "down" && !applied)
      return tables.length === 0
        ? passed("the schema was reverted: neither table exists")
        : failed(`${tables.join(", ")} should not exist: the schema policy is down`);
    if (rows.length === 0)
      return tables.length === 0
        ? skipped("the migration was never applied to this data")
        : failed(`${tables.join(", ")} exist, but the migration ledger has no entry`);
    if (context.actionsDone?.includes(DROP_SYNC_TABLES) === true)
      return tables.length === 0
        ? passed("neither table exists: they were dropped after the rollback had succeeded")
        : failed(`${tables.join(", ")} exist although they were dropped`);
    // A snapshot from after an earlier rollback may have them or not; what was restored is compared by other checks.
    if (context.dataRestored && !applied)
      return passed(`as the snapshot had it: the ledger says rolled back, ${tables.join(", ") || "neither table"} exists`);
    const missing = SYNC_TABLES.filter((table) => !tables.includes(table));
    if (missing.length > 0) return failed(`${missing.join(", ")} should still exist: the schema policy is ${context.schema}`);
    return passed(`${tables.join(", ")} exist; the ledger says ${applied ? "applied" : "rolled back"}`);
  },
);
