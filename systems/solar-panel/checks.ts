/** Every check but those in `verify/`, in the order in which they run: what counts comes before what writes. */
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { countIsRight, countingInWords } from "../../config/system/counting.ts";
import { check, failed, passed } from "../../rollout/verification/outcome.ts";
import { healthCheck, loadCheck, loginCheck, writeCheck } from "../kit/checks.ts";
import { burstOf, type Burst } from "../kit/client.ts";
import { DATABASE, login, newPanel, OPERATOR, PANELS, request } from "./api.ts";
import { CONSTRAINTS } from "./constraints.ts";

/** State of the constraint of exactly this name and table. */
const STATE = `SELECT CASE WHEN g.tgenabled = 'D' THEN 'disabled' WHEN c.convalidated THEN 'enforced' ELSE 'unvalidated' END AS state
  FROM pg_constraint c LEFT JOIN pg_trigger g ON c.contype = 't' AND g.tgconstraint = c.oid
  WHERE c.conrelid = to_regclass('public.' || quote_ident($1)) AND c.conname = $2`;

const constraintsAsDeclared = check(
  "constraints-as-declared",
  "Each constraint is in pg_constraint, or absent, as declared",
  async (context) => {
    const database = await context.database(DATABASE);
    const wrong: string[] = [];
    const counted = { enforced: 0, unvalidated: 0, dropped: 0 };
    for (const [name, { table, kind }] of Object.entries(CONSTRAINTS)) {
      const declared = context.constraints?.[name] ?? "enforced";
      const { rows } = await database.query<{ state: string }>(STATE, [table, name]);
      const found = rows[0]?.state ?? "dropped";
      if (found !== declared && !(kind === "trigger" && found === "enforced" && declared === "unvalidated"))
        wrong.push(`${name} on ${table} is ${found === "dropped" ? "absent" : `present (${found})`}, declared is ${declared}`);
      counted[declared] += 1;
    }
    if (wrong.length > 0) return failed(wrong.join("; "));
    return passed(`${counted.enforced} enforced, ${counted.unvalidated} unvalidated, ${counted.dropped} dropped, each by its name`);
  },
);

const COUNTS = `SELECT count(*)::int AS total, count(*) FILTER (WHERE status = 'PENDING')::int AS pending, count(*) FILTER (WHERE status = 'IN_PROGRESS')::int AS running,
    (SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', tablename), true, true, '')))[1]::text::int), 0)
     FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^panels_quarantine_')::int AS aside
  FROM panels`;

const panelCounts = check("panel-counts", "Panels in total, PENDING and IN_PROGRESS", async (context) => {
  const { rows } = await (await context.database(DATABASE)).query<Record<"total" | "pending" | "running" | "aside", number>>(COUNTS);
  const { total, pending, running, aside } = rows[0]!;
  const detail = `${total} panels, ${pending} PENDING, ${running} IN_PROGRESS${aside > 0 ? `, ${aside} set aside` : ""}`;
  const before = context.baseline?.counts["panels"];
  if (before === undefined) return passed(`${detail}; nothing was counted before`);
  // Rows set aside because they violate a rule are not lost.
  const right = countIsRight(context, context.counting === "any" ? total : Math.max(total, Math.min(before, total + aside)), before);
  return right ? passed(`${detail}; before: ${before}${countingInWords(context)}`) : failed(`${detail}; before: ${before}`);
});

/** Reads `count` times, `width` at a time. */
const reads = async (context: CheckContext, count: number, width: number): Promise<Burst> =>
  burstOf(context, { service: "line", path: PANELS, token: await login(context), strictly: true }, { count, width, limitMs: Infinity });

/** Below this users notice nothing: a faster answer counts as fast as before. Milliseconds. */
const UNNOTICED_MS = 100;

export const CHECKS: CheckDefinition[] = [
  healthCheck("health", "The line and its database answer healthy", "line", ["/health", "/health/db"]),
  loginCheck("login", "An operator can log in", login, OPERATOR),
  constraintsAsDeclared,
  panelCounts,
  loadCheck(
    "performance",
    "Reading is at least 90 % as fast as before",
    (context) => reads(context, 15, 1),
    ({ errors, medianMs, beforeMs }) => {
      const limit = Math.max(UNNOTICED_MS, (beforeMs ?? 0) / 0.9);
      return errors > 0 ? "no error" : medianMs <= limit ? null : `${limit.toFixed(1)} ms`;
    },
  ),
  loadCheck(
    "continuity",
    "More than 99 % of requests are answered",
    (context) => reads(context, 200, 4),
    ({ errorShare }) => (errorShare < 0.01 ? null : "1 %"),
  ),
  writeCheck("write", "A panel can be begun; it is removed afterwards", {
    database: DATABASE,
    name: "VERIFY-000001",
    request: "POST /api/panels",
    send: async (context) =>
      request(context, await login(context), "POST", "/api/panels", newPanel("VERIFY-000001", "written by a verification")),
    find: ["SELECT FROM panels WHERE serial_number = $1", ["VERIFY-000001"]],
    remove: (database) =>
      database.query("DELETE FROM panels WHERE serial_number = 'VERIFY-000001' AND notes = 'written by a verification'"),
  }),
];
