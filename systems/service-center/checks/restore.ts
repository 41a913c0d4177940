/** What the restored database must have, and must not have. */
import { countIsRight, countingInWords } from "../../../config/system/counting.ts";
import { migrationStatesOf } from "../migrations.ts";
import { DATABASE, PHASE_1_TABLES, PHASE_2_TABLES } from "../database.ts";
import { check, failed, onPhase1, passed, skipped } from "./outcome.ts";
import { removeTestTicket } from "./test-ticket.ts";

export const select1 = check("database-select-1", "The database answers SELECT 1", async (context) => {
  const { rows } = await (await context.database(DATABASE)).query<{ one: number }>("SELECT 1 AS one");
  return rows[0]?.one === 1 ? passed("SELECT 1 answers 1") : failed(`SELECT 1 answers ${JSON.stringify(rows)}`);
});

/** Before the checks that write, whose rows would be counted. */
export const counts = check("counts", "Rows of service_tickets, customers, products and parts equal those before", async (context) => {
  const database = await context.database(DATABASE);
  await removeTestTicket(database);
  const { baseline } = context;
  if (baseline === null) return skipped("nothing was counted before");
  const seen: string[] = [];
  for (const table of PHASE_1_TABLES) {
    const before = baseline.counts[table];
    if (before === undefined) continue;
    const { rows } = await database.query<{ rows: number }>(`SELECT COUNT(*)::float8 AS rows FROM ${table}`);
    const now = rows[0]!.rows;
    seen.push(`${table} ${now} (before: ${before})`);
    if (!countIsRight(context, now, before))
      return failed(`${table} has ${now} rows, counted ${baseline.at}: ${before}${context.dataRestored ? " (data restored)" : ""}`);
  }
  return seen.length === 0 ? skipped("none of the tables was counted before") : passed(seen.join(", ") + countingInWords(context));
});

/** An absence check: on Phase 1 counting must fail because the table does not exist, and for no other reason. */
export const phase2TablesGone = check(
  "phase-2-tables-gone",
  "Counting task_templates must fail: no table of Phase 2 is left",
  async (context) => {
    if (!onPhase1(context)) {
      const missing = await absent(context, PHASE_2_TABLES);
      return missing.length === 0
        ? passed(`${PHASE_2_TABLES.join(", ")} exist, as Phase 2 needs`)
        : failed(`${missing.join(", ")} should exist on Phase 2`);
    }
    const database = await context.database(DATABASE);
    for (const table of PHASE_2_TABLES) {
      const code = await database.query(`SELECT COUNT(*) FROM ${table}`).then(
        () => null,
        (error: { code?: string }) => error.code ?? "",
      );
      if (code === null)
        return failed(
          `${table} exists: the application is rolled back to Phase 1 and the database is not. Roll the database back too: \`backout rollback --scope full\``,
        );
      if (code !== "42P01") return failed(`counting ${table} failed with ${code}, which does not mean that it does not exist`);
    }
    return passed(`SELECT COUNT(*) FROM ${PHASE_2_TABLES.join(" and ")} fails: no such table`);
  },
);

async function absent(context: Parameters<Parameters<typeof check>[2]>[0], tables: readonly string[]): Promise<string[]> {
  const { rows } = await (
    await context.database(DATABASE)
  ).query<{ name: string }>("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('public.' || name) IS NULL", [tables]);
  return rows.map(({ name }) => name);
}

export const noMigrationErrors = check("no-migration-errors", "No migration is half applied or newer than the release", async (context) => {
  const states = await migrationStatesOf(await context.database(DATABASE));
  const wrong = states.filter(({ status }) => status === "failed" || status === "unknown" || status === "modified");
  if (wrong.length > 0) return failed(wrong.map(({ name, status }) => `${name} is ${status}`).join("; "));
  const applied = states.filter(({ status }) => status === "applied").map(({ name }) => name);
  const newest = applied.at(-1) ?? "none";
  const gap = states.findIndex(({ status }) => status === "pending");
  if (gap >= 0 && gap < applied.length) return failed(`${states[gap]!.name} is not applied, but ${newest} is`);
  const lines = (await context.errorLog("app", 100)).filter((line) => /migration/i.test(line));
  if (lines.length > 0) return failed(`the error log mentions a migration: ${lines.at(-1)!.slice(0, 200)}`);
  return passed(`${applied.length} migrations are applied, the newest is ${newest}`);
});
