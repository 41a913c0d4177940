/**
 * Every check, in the order in which they run, those that only ask next to each other: what counts comes before what writes, what reads logs after
 * what causes lines in them.
 */
import type { Client } from "pg";
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { askingCheck, check, failed, passed, skipped } from "../../rollout/verification/outcome.ts";
import { countCheck, flagsCheck, logCheck } from "../../rollout/verification/ready-checks.ts";
import { healthCheck, loadCheck, loginCheck, oncePerRun, writeCheck } from "../kit/checks.ts";
import { bodyOf, errorsInWords, type Burst } from "../kit/client.ts";
import { isCritical } from "../kit/log.ts";
import {
  DROP_SYNC_TABLES,
  burst,
  list,
  listPath,
  login,
  ORGANIZATION,
  request,
  rssBytes,
  SYNC_MIGRATION,
  SYNC_TABLES,
  TEST_USER,
} from "./api.ts";

const session = oncePerRun(login);

/** The row that a check writes. */
const TEST_ROW = { pfaId: "TEST-001", category: "Equipment", description: "written by a verification, removed by it" };

/** Also removes its history, its place in the queue, and what an interrupted verification left. A record of that name that somebody else wrote stays. */
async function removeTestRow(database: Client): Promise<void> {
  const { pfaId, description } = TEST_ROW;
  const ours = `pfa_id = '${pfaId}' AND NOT EXISTS (SELECT FROM pfa_records WHERE pfa_id = '${pfaId}' AND description <> '${description}')`;
  const { rows } = await database.query<{ queue: boolean }>("SELECT to_regclass('pfa_write_queue') IS NOT NULL AS queue");
  const queue = `DELETE FROM pfa_write_queue WHERE ${ours} AND payload ->> 'description' = '${description}';`;
  // One query of several statements is one transaction.
  await database.query(`${rows[0]?.queue === true ? queue : ""}
    DELETE FROM pfa_modification WHERE ${ours} AND coalesce(after, before) ->> 'description' = '${description}';
    DELETE FROM pfa_records WHERE pfa_id = '${pfaId}' AND description = '${description}'`);
}

/** An absence check: a worker of the newer release would continue to write to PEMS. */
const workerStopped = check("worker-stopped", "The sync worker runs or stays stopped, as declared", async (context) => {
  const { running, release, pid } = await context.observe("worker");
  const declared = context.running["worker"] === false ? null : (context.releases["worker"] ?? "?");
  const found = running ? (release ?? "an unknown release") : null;
  if (found !== declared)
    return failed(
      `the worker ${found === null ? "does not run" : `runs ${found} as process ${pid ?? "?"}`}, declared is ${declared ?? "off"}`,
    );
  return passed(running ? `runs ${found} as process ${pid ?? "?"}` : "stopped");
});

const read = askingCheck("read", "3 Reading answers with data", async (context) => {
  const rows = await list(context, await session(context));
  const total = context.baseline?.counts["pfa_records"] ?? 0;
  // An organization without rows proves nothing where the system has some.
  if (rows.length === 0 && total > 0) return failed(`no rows of ${ORGANIZATION}, although ${total} records were counted before`);
  return passed(`${rows.length} rows of ${ORGANIZATION}`);
});

const siteText = async (context: CheckContext, path: string): Promise<string> =>
  bodyOf(`GET ${path}`, await context.fetch(`${context.url("frontend")}${path}`));
const siteJson = async <T>(context: CheckContext, path: string): Promise<T> => JSON.parse(await siteText(context, path)) as T;

/** The banner on top of the page. */
const banner = askingCheck("banner", "The page shows the declared maintenance message", async (context) => {
  const shown = await siteJson<{ mode?: string; message?: string }>(context, "/__backout/maintenance");
  const { mode, message } = context.maintenance;
  if (mode !== "full" && shown.mode === "full") {
    const gate = await siteJson<{ mode?: string }>(context, "/__backout/gate").catch(() => ({ mode: undefined }));
    if (gate.mode === "closed") return skipped("users are kept out until verification has passed: they see that message");
  }
  if (mode === "off" && shown.mode === "read-only" && !context.open)
    return skipped("users cannot write until verification has passed: they see the former message");
  if (shown.mode !== mode) return failed(`the page shows mode ${shown.mode ?? "none"}, declared is ${mode}`);
  if (mode !== "off" && message !== "" && shown.message !== message)
    return failed(`the page shows "${shown.message ?? ""}", declared is "${message}"`);
  return passed(mode === "off" ? "no maintenance" : `${mode}: "${shown.message ?? ""}"`);
});

const frontendVersion = askingCheck("frontend-version", "5 The frontend loads and has the right version metadata", async (context) => {
  const declared = context.releases["frontend"] ?? "none";
  const shown = /<meta name="version" content="([^"]*)"/.exec(await siteText(context, "/"))?.[1] ?? "no version";
  if (shown !== declared) return failed(`the page says ${shown}, declared is ${declared}`);
  const { version = "nothing" } = await siteJson<{ version?: string }>(context, "/version.json");
  return version === declared
    ? passed(`page and version.json say ${declared}`)
    : failed(`version.json says ${version}, declared is ${declared}`);
});

/** The frontend lists the requests it needs in `version.json`; the running backend has to answer them. */
const frontendCompatible = askingCheck("frontend-compatible", "The backend answers the frontend's requests", async (context) => {
  const { version = "?", requires = [] } = await siteJson<{ version?: string; requires?: string[] }>(context, "/version.json");
  if (requires.length === 0) return failed("version.json does not say what the frontend requires");
  const token = await session(context);
  // A small part of each answer is enough.
  await Promise.all(requires.map(async (path) => bodyOf(`GET ${path}`, await request(context, token, `${path}&limit=20`))));
  return passed(`backend ${context.releases["backend"] ?? "?"} answers all ${requires.length} requests of frontend ${version}`);
});

/** After a rollback that keeps or marks the schema its tables are expected; after one that reverts it they are forbidden. */
const newTablesRemain = check("new-tables-remain", "Tables of the newer schema exist, or are removed, as declared", async (context) => {
  const database = await context.database("pfa");
  const present = await database.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
    [[...SYNC_TABLES, "_prisma_migrations"]],
  );
  const tables = present.rows.map(({ name }) => name).filter((name) => SYNC_TABLES.includes(name));
  const ledger = present.rows.length === tables.length ? "SELECT false AS applied WHERE $1 = ''" : APPLIED;
  const { rows } = await database.query<{ applied: boolean }>(ledger, [SYNC_MIGRATION]);
  const applied = rows[0]?.applied === true;
  const absent = (why: string, otherwise: string) => (tables.length === 0 ? passed(why) : failed(`${tables.join(", ")} ${otherwise}`));
  if (context.schema === "down" && !applied)
    return absent("the schema was reverted: neither table exists", "should not exist: the schema policy is down");
  if (rows.length === 0)
    return tables.length === 0
      ? skipped("the migration was never applied to this data")
      : failed(`${tables.join(", ")} exist, but the migration ledger has no entry`);
  if (context.actionsDone?.includes(DROP_SYNC_TABLES) === true)
    return absent("neither table exists: they were dropped after the rollback had succeeded", "exist although they were dropped");
  // A snapshot from after an earlier rollback may have them or not; what was restored is compared by other checks.
  if (context.dataRestored && !applied)
    return passed(`as the snapshot had it: the ledger says rolled back, ${tables.join(", ") || "neither table"} exists`);
  const missing = SYNC_TABLES.filter((table) => !tables.includes(table));
  if (missing.length > 0) return failed(`${missing.join(", ")} should still exist: the schema policy is ${context.schema}`);
  return passed(`${tables.join(", ")} exist; the ledger says ${applied ? "applied" : "rolled back"}`);
});

const APPLIED =
  "SELECT finished_at IS NOT NULL AND rolled_back_at IS NULL AS applied FROM _prisma_migrations WHERE migration_name = $1 ORDER BY started_at DESC";

const CATEGORY = "Equipment";

/** A user's first steps: log in, view, filter, sort, export. */
const uat = askingCheck("uat", "9 A user can log in, view, filter, sort and export", async (context) => {
  const token = await session(context);
  const exported = listPath({ format: "csv", limit: "50" });
  const [all, filtered, sorted, response] = await Promise.all([
    list(context, token),
    list(context, token, { category: CATEGORY }),
    list(context, token, { sort: "totalCost", order: "desc" }),
    request(context, token, exported),
  ]);
  const type = response.headers.get("content-type") ?? "";
  const csv = await bodyOf(`GET ${exported}`, response);
  const stray = filtered.find((row) => row.category !== CATEGORY);
  if (stray !== undefined) return failed(`filtering by ${CATEGORY} shows ${stray.pfaId}, which is ${stray.category}`);
  if (filtered.length === 0 && all.some((row) => row.category === CATEGORY)) return failed(`filtering by ${CATEGORY} shows nothing`);
  const wrong = sorted.findIndex((row, index) => index > 0 && row.totalCost > sorted[index - 1]!.totalCost);
  if (wrong > 0) return failed(`sorted by cost, row ${wrong + 1} costs more than the one before`);
  if (!type.startsWith("text/csv") || !csv.startsWith("pfaId,")) return failed(`the export is ${type}, beginning "${csv.slice(0, 40)}"`);
  if (all.length > 0 && csv.split("\r\n").length < 3) return failed("the export has no rows although the list has");
  return passed(`viewed ${all.length}, filtered ${filtered.length}, sorted ${sorted.length} rows; exported ${csv.length} bytes of CSV`);
});

type Sample = Burst & { alerts: number; interrupted: boolean; pid: number | null };
const samples = new WeakMap<CheckContext, Promise<Sample>>();

/** The backend under load, sampled once for all checks of a run: a poll of a watch, which has one of them, needs fewer requests. */
function sample(context: CheckContext, requests: number): Promise<Sample> {
  const taken = samples.get(context) ?? take(context, requests);
  samples.set(context, taken);
  return taken;
}

async function take(context: CheckContext, requests: number): Promise<Sample> {
  const criticalLines = async (): Promise<number> => (await context.errorLog("backend", 100)).filter(isCritical).length;
  const before = await context.observe("backend");
  const linesBefore = await criticalLines();
  const answers = await burst(context, await session(context), requests, 4);
  const { running, pid } = await context.observe("backend");
  return { ...answers, alerts: Math.max(0, (await criticalLines()) - linesBefore), interrupted: !running || pid !== before.pid, pid };
}

/** One sample of the half-hour watch. */
const watchSample = check("watch-sample", "10 A sample of the watch: errors, times, memory, restarts, new error lines", async (context) => {
  const taken = await sample(context, 50);
  const { requests, errors, medianMs, alerts, interrupted, pid } = taken;
  const rss = await rssBytes(context);
  const figures = { requests, errors, medianMs, rssBytes: rss, alerts };
  const detail = `${errorsInWords(taken)}, ${Math.round(rss / 2 ** 20)} MiB resident, process ${pid ?? "?"}`;
  if (interrupted) return failed(`the backend was restarted or ended while it was watched: ${detail}`, figures);
  if (errors / requests >= 0.005) return failed(`${detail}; the limit is 0.5 %`, figures);
  if (rss >= 512 * 2 ** 20) return failed(`${detail}; the limit is 512 MiB`, figures);
  return alerts > 0 ? failed(`${alerts} new critical lines in the error log; ${detail}`, figures) : passed(detail, figures);
});

export const CHECKS: CheckDefinition[] = [
  workerStopped,
  healthCheck("health", "1 Health endpoints of backend and database answer healthy", "backend", ["/health", "/health/db"]),
  loginCheck("login", "2 Login answers with a token", login, TEST_USER),
  read,
  banner,
  frontendVersion,
  frontendCompatible,
  // Before the check that writes, whose row would be counted.
  countCheck({
    title: "6 Row counts equal those before",
    database: "pfa",
    tables: ["pfa_records", "pfa_modification"],
    first: async (context) => removeTestRow(await context.database("pfa")),
  }),
  newTablesRemain,
  flagsCheck({ database: "pfa", sql: "SELECT flag_name AS name, enabled FROM feature_flags" }),
  writeCheck("write", "4 Writing works; the test row is removed afterwards", {
    database: "pfa",
    name: TEST_ROW.pfaId,
    request: "POST /api/pfa-data",
    // A row pushed to PEMS could not be reverted.
    send: async (context) =>
      request(context, await session(context), "/api/pfa-data", {
        method: "POST",
        body: { organizationId: ORGANIZATION, ...TEST_ROW },
        headers: { "x-sync": "off" },
      }),
    find: ["SELECT category FROM pfa_records WHERE pfa_id = $1", [TEST_ROW.pfaId]],
    holds: { category: TEST_ROW.category },
    remove: removeTestRow,
  }),
  uat,
  loadCheck(
    "latency-and-error-rate",
    "8 Error rate below 0.1 %, responses faster than 500 ms",
    (context) => sample(context, 200),
    ({ errorShare, medianMs }) => (errorShare >= 0.001 ? "0.1 %" : medianMs >= 500 ? "500 ms" : null),
  ),
  logCheck({
    title: "7 The last 100 lines of the error logs hold nothing critical",
    services: ["backend", "worker"],
    isCritical,
  }),
  watchSample,
];
