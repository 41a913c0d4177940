/** The database's own tests: functions, integrity, counts. */
import { countIsRight, countingInWords } from "../../../config/system/counting.ts";
import { check, failed, passed } from "../../kit/outcome.ts";
import { solar, TABLES, tested } from "./inspect.ts";

export const functionality = check(
  "functionality",
  "test_system_functionality passes for panels and manufacturing_orders",
  async (context) => {
    const database = await solar(context);
    const rows = [];
    for (const table of ["panels", "manufacturing_orders"]) rows.push(...(await tested(database, "test_system_functionality", table)));
    const wrong = rows.filter(({ result }) => result !== "PASS");
    if (wrong.length > 0) return failed(wrong.map(({ test, detail }) => `${test}: ${detail}`).join("; "));
    return passed(`${rows.length} tests passed`);
  },
);

/** A dropped rule is skipped there: rows that violate it may be the reason for the drop. */
export const integrity = check("integrity", `test_data_integrity passes for ${TABLES.join(", ")}`, async (context) => {
  const database = await solar(context);
  const rows = [];
  for (const table of TABLES) rows.push(...(await tested(database, "test_data_integrity", table)));
  const wrong = rows.filter(({ result }) => result !== "PASS" && result !== "SKIPPED");
  if (wrong.length > 0) return failed(wrong.map(({ test, detail }) => `${test}: ${detail}`).join("; "));
  const skipped = rows.filter(({ result }) => result === "SKIPPED");
  return passed(
    `${rows.length - skipped.length} tests passed${skipped.length === 0 ? "" : `; ${skipped.map(({ test, detail }) => `${test}: ${detail}`).join("; ")}`}`,
  );
});

export const panelCounts = check("panel-counts", "Panels in total, PENDING and IN_PROGRESS", async (context) => {
  const database = await solar(context);
  const { rows } = await database.query<{ total: number; pending: number; running: number; aside: number }>(
    `SELECT count(*)::int AS total, count(*) FILTER (WHERE status = 'PENDING')::int AS pending, count(*) FILTER (WHERE status = 'IN_PROGRESS')::int AS running,
       (SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', tablename), true, true, '')))[1]::text::int), 0)
        FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^panels_quarantine_')::int AS aside
     FROM panels`,
  );
  const { total, pending, running, aside } = rows[0]!;
  const detail = `${total} panels, ${pending} PENDING, ${running} IN_PROGRESS${aside > 0 ? `, ${aside} set aside` : ""}`;
  const before = context.baseline?.counts["panels"];
  if (before === undefined) return passed(`${detail}; nothing was counted before`);
  // Rows set aside because they violate a rule are not lost.
  const right = countIsRight(context, context.counting === "any" ? total : Math.max(total, Math.min(before, total + aside)), before);
  return right ? passed(`${detail}; before: ${before}${countingInWords(context)}`) : failed(`${detail}; before: ${before}`);
});

const COMPLIANCE = 0.95;

export const effectiveness = check("effectiveness", "More than 95 % of the rows comply with the constraints in force", async (context) => {
  const database = await solar(context);
  const { rows } = await database.query<{ rows: number; violating: number }>(
    `SELECT coalesce(sum(n.live) FILTER (WHERE h.state <> 'ABSENT'), 0)::float8 AS rows,
       coalesce(sum(h.violation_count), 0)::float8 AS violating
     FROM constraint_health_overview h JOIN (
       SELECT 'panels' AS table_name, count(*) AS live FROM panels UNION ALL SELECT 'pallets', count(*) FROM pallets UNION ALL
       SELECT 'users', count(*) FROM users UNION ALL SELECT 'stations', count(*) FROM stations UNION ALL
       SELECT 'manufacturing_orders', count(*) FROM manufacturing_orders) n USING (table_name)`,
  );
  const { rows: checked, violating } = rows[0]!;
  const share = checked === 0 ? 1 : 1 - violating / checked;
  const detail = `${(share * 100).toFixed(2)} % of ${checked} rows comply`;
  return share > COMPLIANCE ? passed(detail) : failed(`${detail}; the limit is ${COMPLIANCE * 100} %`);
});
