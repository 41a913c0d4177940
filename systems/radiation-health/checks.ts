/** Every check but those in `verify/`, in the order in which they run: what counts comes before what writes, what reads logs after what causes lines in them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { countIsRight, countingInWords } from "../../config/system/counting.ts";
import { check, failed, passed, skipped, writingCheck } from "../../rollout/verification/outcome.ts";
import { logCheck } from "../../rollout/verification/ready-checks.ts";
import { healthCheck, loadCheck } from "../kit/checks.ts";
import { isCritical } from "../kit/log.ts";
import { API, burst, DATABASE, FEED, getJson, listen, PERSONNEL_PATH, SERVICES, vitals, type Vitals } from "./api.ts";
import { brokenLink, removeTrial, tryChain, type Trial } from "./chain.ts";

export const TRIAL: Trial = { marker: "TEST-VERIFICATION", note: "written by a verification, removed by it", limitMs: 10_000 };

const declaredToRun = ({ running }: CheckContext): string[] => SERVICES.filter((service) => running[service] !== false);

const allOnline = check("all-online", "All five services are online, each at its declared release", async (context) => {
  const seen: string[] = [];
  for (const name of SERVICES) {
    const declared = context.releases[name] ?? "none";
    const { running, release } = await context.observe(name);
    if (context.running[name] === false) {
      if (running) return failed(`${name} is declared off, but runs`);
      seen.push(`${name} off`);
      continue;
    }
    if (!running) return failed(`${name} does not run`);
    const { version } = await getJson<{ version?: string }>(context, "/health", name);
    if (release !== declared || version !== declared)
      return failed(`${name} runs ${release ?? "an unknown release"} and says ${version ?? "nothing"}, declared is ${declared}`);
    seen.push(`${name} ${declared}`);
  }
  return passed(seen.join(", "));
});

const personnel = check("personnel", "GET /api/radiation/personnel answers with people", async (context) => {
  const { personnel: people } = await getJson<{ personnel: { employeeNumber?: unknown }[] }>(context, PERSONNEL_PATH);
  const before = context.baseline?.counts["radiation_personnel"] ?? 0;
  if (people.length === 0 && before > 0) return failed(`nobody is listed, although ${before} people were counted before`);
  if (people.some(({ employeeNumber }) => typeof employeeNumber !== "string")) return failed("a person is listed without a number");
  return passed(`${people.length} people listed`);
});

const devices = check("devices", "GET /api/radiation/devices lists the existing devices", async (context) => {
  const { devices: listed } = await getJson<{ devices: unknown[] }>(context, "/api/radiation/devices");
  const database = await context.database(DATABASE);
  const { rows } = await database.query<{ rows: number }>("SELECT least(100, count(*))::int AS rows FROM devices");
  return listed.length === rows[0]!.rows
    ? passed(`${listed.length} devices listed`)
    : failed(`${listed.length} devices are listed, the database has ${rows[0]!.rows}`);
});

const webSocket = check("websocket", "A client connects by WebSocket, through the gate, and is greeted", async (context) => {
  const listener = await listen(context);
  listener.close();
  const { type, version } = listener.greeting;
  const declared = context.releases[FEED] ?? "none";
  if (type !== "hello" || version !== declared) return failed(`greeted with "${type}" by ${version}, declared is ${declared}`);
  return passed(`connected and greeted by ${version}`);
});

/** When a row was added: services work before users are let in, and may add rows from a backlog. */
const CAME_IN = { radiation_personnel: "'-infinity'", dose_readings: "imported_at", alerts: "raised_at" };

/** Before the check that writes, whose rows would be counted. */
const count = writingCheck("count", "radiation_personnel, dose_readings and alerts have as many rows as before", async (context) => {
  const { baseline, counting } = context;
  const database = await context.database(DATABASE);
  await removeTrial(database, TRIAL);
  if (baseline === null) return skipped("nothing was counted before");
  const seen: string[] = [];
  for (const [table, cameIn] of Object.entries(CAME_IN)) {
    const before = baseline.counts[table];
    if (before === undefined) continue;
    const { rows } = await database.query<{ all: number; older: number }>(
      `SELECT count(*)::float8 AS all, count(*) FILTER (WHERE ${cameIn} <= $1::timestamptz)::float8 AS older FROM ${table}`,
      [baseline.at],
    );
    const { all, older } = rows[0]!;
    seen.push(`${table} ${all} (before: ${before})`);
    const lost = !countIsRight({ counting: counting === "exact" ? "at least" : counting }, all, before);
    if (lost || (counting === "exact" && older > before))
      return failed(
        `${table} has ${all} rows${all === older ? "" : `, ${older} of them from before`}; counted ${baseline.at} at ${baseline.release}: ${before}`,
      );
  }
  if (seen.length === 0) return skipped(`none of ${Object.keys(CAME_IN).join(", ")} was counted before`);
  return passed(seen.join(", ") + countingInWords(context));
});

/** What the feature replaced is a table before it and a view after it. The schema must match the migration ledger: half of the newer one fails. */
const FEATURE = "20251115000002_threshold_profiles";
const KINDS = { threshold_profiles: ["missing", "a table"], dose_trends: ["missing", "a table"], alert_thresholds: ["a table", "a view"] };

const featureTables = check(
  "feature-tables",
  "The new tables exist, or are removed and the former table is restored, as declared",
  async (context) => {
    const database = await context.database(DATABASE);
    const { rows: ledger } = await database.query<{ applied: boolean }>(
      "SELECT finished_at IS NOT NULL AND rolled_back_at IS NULL AS applied FROM _prisma_migrations WHERE migration_name = $1 ORDER BY started_at DESC",
      [FEATURE],
    );
    const { rows } = await database.query<{ name: keyof typeof KINDS; kind: string }>(
      `SELECT name, coalesce((SELECT CASE relkind WHEN 'v' THEN 'a view' WHEN 'r' THEN 'a table' ELSE 'of kind ' || relkind::text END FROM pg_class WHERE oid = to_regclass(name)), 'missing') AS kind
       FROM unnest($1::text[]) AS name`,
      [Object.keys(KINDS)],
    );
    const applied = ledger[0]?.applied === true;
    if (applied && context.schema === "down") return failed(`${FEATURE} is applied, although the schema policy is down`);
    const is = `${FEATURE} is ${applied ? "applied" : "not applied"}`;
    const wanted = (name: keyof typeof KINDS): string => KINDS[name][applied ? 1 : 0]!;
    const wrong = rows.filter(({ name, kind }) => kind !== wanted(name));
    if (wrong.length === 0) return passed(`${is}: ${rows.map(({ name, kind }) => `${name} ${kind}`).join(", ")}`);
    return failed(`${is}, but ${wrong.map(({ name, kind }) => `${name} is ${kind} (should be ${wanted(name)})`).join(", ")}`);
  },
);

/** As severe as an outage: without alerts people stay in a harmful place. */
const alertChain = writingCheck(
  "alert-chain",
  "A file becomes a reading, an anomaly, and an alert that is received over the WebSocket",
  async (context) => {
    const off = Object.keys(context.running).filter((name) => context.running[name] === false);
    if (off.length > 0) return skipped(`${off.join(", ")} declared off: no alert is possible`);
    const found = await tryChain(context, await context.database(DATABASE), TRIAL);
    const broken = brokenLink(found);
    return broken === null ? passed(`received ${found.tookMs} ms after the upload; removed afterwards`) : failed(broken);
  },
);

export const MEMORY_SHARE_LIMIT = 0.95;

const memory = check("memory", "Every service has less than 95 % of its memory", async (context) => {
  const seen: string[] = [];
  let largest = 0;
  for (const name of declaredToRun(context)) {
    const { rssBytes, memoryLimitBytes } = await vitals(context, name);
    const share = rssBytes / memoryLimitBytes;
    largest = Math.max(largest, share);
    const told = `${name} ${Math.round(share * 100)} % of ${Math.round(memoryLimitBytes / 2 ** 20)} MiB`;
    // NaN must fail.
    if (!(share < MEMORY_SHARE_LIMIT)) return failed(`${told}; the limit is 95 %`, { memoryShare: share });
    seen.push(told);
  }
  return passed(seen.join(", "), { memoryShare: largest });
});

const SESSIONS = `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS allowed`;

const connections = check(
  "connections",
  "Database sessions do not run out: pg_stat_activity, and the pool of every service",
  async (context) => {
    const { rows } = await (await context.database(DATABASE)).query<{ used: number; allowed: number }>(SESSIONS);
    const { used, allowed } = rows[0]!;
    if (used >= allowed * 0.95) return failed(`the server has ${used} of ${allowed} sessions; the limit is 95 %`);
    for (const name of declaredToRun(context)) {
      const exhausted = await exhaustedPool(async () => (await vitals(context, name)).sessions);
      if (exhausted !== null) return failed(`${name}: ${exhausted}`);
    }
    return passed(`${used} of ${allowed} sessions; every service's pool has free ones`, { sessions: used });
  },
);

/** The problem of a pool without a free session in five looks: one that is busy for a moment is not exhausted. Null: none. */
async function exhaustedPool(look: () => Promise<Vitals["sessions"]>): Promise<string | null> {
  for (let looked = 1; ; looked += 1) {
    const { max, total, idle, waiting } = await look();
    if (total < max || idle > 0) return null;
    if (looked === 5) return `all ${max} sessions are taken, ${waiting} requests wait for one`;
    await sleep(100);
  }
}

/** Comes last: the load of the other checks may have ended a service. */
const noFailedService = check("no-failed-service", "No service ends or restarts during the checks", async (context) => {
  const look = () => Promise.all(declaredToRun(context).map(async (name) => ({ name, ...(await context.observe(name)) })));
  const before = await look();
  await sleep(500);
  const wrong = (await look()).filter(({ running, pid }, index) => !running || pid !== before[index]!.pid);
  return wrong.length === 0
    ? passed(`${before.length} services run as before`)
    : failed(wrong.map(({ name, running }) => `${name} ${running ? "was restarted" : "has ended"}`).join(", "));
});

export const ERROR_SHARE_LIMIT = 0.05;
export const RESPONSE_LIMIT_MS = 500;

export const CHECKS: CheckDefinition[] = [
  allOnline,
  healthCheck("health", "GET /api/health answers healthy", API, ["/api/health"]),
  personnel,
  devices,
  webSocket,
  count,
  featureTables,
  alertChain,
  loadCheck(
    "response-time",
    "The personnel endpoint answers within 500 ms",
    (context) => burst(context, 60, 2),
    ({ medianMs }) => (medianMs < RESPONSE_LIMIT_MS ? null : `${RESPONSE_LIMIT_MS} ms`),
  ),
  loadCheck(
    "error-rate",
    "At most 5 % of requests fail",
    (context) => burst(context, 100, 4),
    ({ errorShare }) => (errorShare <= ERROR_SHARE_LIMIT ? null : `${ERROR_SHARE_LIMIT * 100} %`),
  ),
  memory,
  connections,
  logCheck({
    title: "The last 100 lines of every service's error log hold nothing critical",
    services: SERVICES,
    isCritical,
  }),
  noFailedService,
];
