import { check, failed, passed } from "../../kit/outcome.ts";
import { DATABASE, FEATURE_TABLES, PREVIOUS_TABLE, radiationDatabase } from "../database.ts";

const FEATURE = radiationDatabase.migrations.at(-1)!.name;

/** The schema must match the migration ledger completely: half of the newer schema fails. */
export const featureTables = check(
  "feature-tables",
  "The new tables exist, or are removed and the former table is restored, as declared",
  async (context) => {
    const database = await context.database(DATABASE);
    const { rows: ledger } = await database.query<{ applied: boolean }>(
      "SELECT finished_at IS NOT NULL AND rolled_back_at IS NULL AS applied FROM _prisma_migrations WHERE migration_name = $1 ORDER BY started_at DESC",
      [FEATURE],
    );
    const { rows } = await database.query<{ name: string; kind: string | null }>(
      "SELECT name, (SELECT relkind::text FROM pg_class WHERE oid = to_regclass(name)) AS kind FROM unnest($1::text[]) AS name",
      [[...FEATURE_TABLES, PREVIOUS_TABLE]],
    );
    const applied = ledger[0]?.applied === true;
    if (applied && context.schema === "down") return failed(`${FEATURE} is applied, although the schema policy is down`);
    const wanted = (name: string): string | null => (name === PREVIOUS_TABLE ? (applied ? "v" : "r") : applied ? "r" : null);
    const wrong = rows.filter(({ name, kind }) => kind !== wanted(name));
    const words = (kind: string | null): string => (kind === null ? "missing" : kind === "v" ? "a view" : "a table");
    if (wrong.length > 0)
      return failed(
        `${FEATURE} is ${applied ? "applied" : "not applied"}, but ${wrong.map(({ name, kind }) => `${name} is ${words(kind)} (should be ${words(wanted(name))})`).join(", ")}`,
      );
    return passed(
      `${FEATURE} is ${applied ? "applied" : "not applied"}: ${rows.map(({ name, kind }) => `${name} ${words(kind)}`).join(", ")}`,
    );
  },
);
