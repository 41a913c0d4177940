/** Every check but those in `verify/`, in the order in which they run. None of them writes. */
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { countIsRight, countingInWords } from "../../config/system/counting.ts";
import { check, failed, passed, skipped } from "../../rollout/verification/outcome.ts";
import { healthCheck, loadCheck } from "../kit/checks.ts";
import { bodyOf } from "../kit/client.ts";
import { ADMIN, burst, DATABASE, EXPORT_PATH, login, request, rows, slowAbove, TEST_USER } from "./api.ts";

/** Compared with the snapshot from before the deployment; `governance_logs` is counted, not compared. */
const COMPARED = ["projects", "phases", "step_progress"];
export const COUNTED_TABLES = [...COMPARED, "governance_logs"];
export const PERMISSIONS = "user-permissions";

const counts = check("counts", "Rows per table equal those before: MATCH or MISMATCH", (context) => {
  const { baseline } = context;
  if (baseline === null) return skipped("nothing was counted before");
  const lines = COUNTED_TABLES.flatMap((table) => {
    const expected = baseline.counts[table];
    if (expected === undefined) return [];
    const counted = context.sqlite(DATABASE).prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number };
    if (!COMPARED.includes(table)) return `${table} ${counted.rows} (before: ${expected}, not compared)`;
    return `${table} ${counted.rows} of ${expected} ${countIsRight(context, counted.rows, expected) ? "MATCH" : "MISMATCH"}`;
  });
  if (lines.length === 0) return skipped("none of the tables was counted before");
  const detail = `${lines.join(", ")}; counted ${baseline.at} at ${baseline.release || "no release"}${countingInWords(context)}`;
  return detail.includes("MISMATCH") ? failed(detail) : passed(detail);
});

/** The status of an answer, which is read to its end, so the connection can be reused. */
async function statusOf(asked: Promise<Response>): Promise<number> {
  const response = await asked;
  await response.text();
  return response.status;
}

const logins = check("login", "An administrator and a user log in; a wrong password does not", async (context) => {
  await login(context, ADMIN);
  await login(context, TEST_USER);
  const body = { username: TEST_USER, password: "not the password" };
  const wrong = await statusOf(request(context, null, "/api/auth/login", { method: "POST", body }));
  return wrong === 401 ? passed("both logged in; a wrong password is refused") : failed(`a wrong password was answered ${wrong}`);
});

const authorisation = check("authorisation", "Without a token no data is shown, and users are no administrators", async (context) => {
  const anonymous = await statusOf(request(context, null, "/api/projects"));
  if (anonymous !== 401) return failed(`without a token /api/projects answers ${anonymous}`);
  const user = await statusOf(request(context, await login(context), "/api/admin/users"));
  return user === 403
    ? passed("401 without a token, 403 for users on administrators' pages")
    : failed(`a user got ${user} from /api/admin/users`);
});

const features = check("features", "Viewing data, administration and the database connection work", async (context) => {
  const token = await login(context, ADMIN);
  const seen: string[] = [];
  for (const list of ["projects", "phases", "step-progress", "admin/users"])
    seen.push(`${(await rows(context, token, `/api/${list}?limit=20`)).length} ${list}`);
  await bodyOf("GET /health/db", await request(context, token, "/health/db"));
  return seen.includes("0 admin/users") ? failed("the administrators' list of users is empty") : passed(seen.join(", "));
});

/** Phase 3's features, by the words that users see and the paths that programs call. */
const WORDS = [/inline edit/i, /json (?:import|export|op)/i, /runtime status/i];
const ADDRESSES: [method: string, path: string, body?: unknown][] = [
  ["GET", EXPORT_PATH],
  ["POST", "/api/json-operations/import", {}],
  ["PATCH", "/api/inline/step-progress/0", { percent: 0 }],
  ["POST", "/api/operations/status", {}],
  ["GET", "/api/runtime-status"],
];

const noPhase3 = check("no-phase-3", "No Phase 3 feature is visible: inline editing, JSON operations", async (context) => {
  const pinned = context.releases["app"] ?? "";
  if (pinned.startsWith("phase-3")) return skipped(`${pinned} is Phase 3`);
  const token = await login(context, ADMIN);
  for (const path of ["/", "/api/features"]) {
    const text = await (await request(context, token, path)).text();
    const found = WORDS.map((word) => word.exec(text)).find((match) => match !== null);
    if (found !== undefined) return failed(`${path === "/" ? "the page" : path} still says "${found[0]}"`);
  }
  for (const [method, path, body] of ADDRESSES) {
    const status = await statusOf(request(context, token, path, { method, ...(body === undefined ? {} : { body }) }));
    if (status !== 404) return failed(`${method} ${path} answers ${status} and must not exist`);
  }
  return passed(`none of ${WORDS.length} features on the page, none of ${ADDRESSES.length} addresses answers`);
});

interface Permission {
  id: number;
  user_id: string;
  role: string;
  access_level: string | null;
  original_access_level: string | null;
}

const permissions = check("permissions", "Permissions are unchanged, or restricted with every original saved", (context) => {
  const held = context.protections?.[PERMISSIONS] ?? null;
  const restricted = held?.restricted === true;
  const all = context
    .sqlite(DATABASE)
    .prepare("SELECT id, user_id, role, access_level, original_access_level FROM user_permissions ORDER BY id")
    .all() as unknown as Permission[];
  const spared = all.filter(({ role }) => role === "superuser" || role === "emergency_admin");
  const locked = spared.filter(({ access_level: level }) => level === null || level === "read_only");
  if (locked.length > 0) return failed(`${locked.map((one) => one.user_id).join(", ")} must never be restricted, but is restricted`);
  if (spared.length === 0) return failed("no superuser and no emergency_admin found");
  const wrong = all.flatMap((row) => {
    if (spared.includes(row)) return [];
    const original = held?.originals.find(({ key }) => Number(key) === row.id);
    if (row.access_level === null) return `${row.user_id} has no level`;
    if (restricted && row.access_level !== "read_only") return `${row.user_id} is not restricted (${row.access_level})`;
    if (restricted && original === undefined) return `${row.user_id} is restricted and its original is not saved`;
    if (!restricted && row.original_access_level !== null) return `${row.user_id} is still restricted`;
    if (!restricted && original !== undefined && row.access_level !== original.value)
      return `${row.user_id} has ${row.access_level}, had ${String(original.value)}`;
    return [];
  });
  if (wrong.length > 0) return failed(wrong.join("; "));
  if (!restricted) return passed(`${all.length} users unchanged`);
  return passed(`${held.originals.length} users are read-only until users are let in; every original is saved`);
});

const maintenanceOff = check("maintenance-off", "Maintenance is declared off", ({ maintenance: { mode, message }, scope }) => {
  const says = `maintenance is ${mode}: ${message}`;
  // If no procedure requires it to be off, it is intended.
  return mode === "off" ? passed("off") : scope === null ? skipped(says) : failed(says);
});

const smoke = check("smoke", "Smoke test: the pages that an administrator uses", async (context: CheckContext) => {
  const token = await login(context, ADMIN);
  const pinned = context.releases["app"] ?? "";
  if (!(await (await request(context, token, "/")).text()).includes(`content="${pinned}"`)) return failed(`the page is not from ${pinned}`);
  const [project] = await rows<{ id: number; code: string }>(context, token, "/api/projects?limit=1");
  if (project === undefined) return skipped("no project exists");
  await bodyOf(`GET /api/projects/${project.code}`, await request(context, token, `/api/projects/${encodeURIComponent(project.code)}`));
  const phases = await rows<{ id: number }>(context, token, `/api/phases?project_id=${project.id}`);
  const first = phases[0] === undefined ? [] : [`/api/step-progress?phase_id=${phases[0].id}`];
  const steps = (await Promise.all(first.map((path) => rows<{ percent: number }>(context, token, path)))).flat();
  const wrong = steps.filter(({ percent }) => percent < 0 || percent > 100);
  return wrong.length > 0
    ? failed(`${wrong.length} steps of ${project.code} have a progress outside 0 to 100`)
    : passed(`${project.code} with ${phases.length} phases and ${steps.length} steps of the first`);
});

export const CHECKS: CheckDefinition[] = [
  healthCheck("health", "/health answers healthy", "app"),
  counts,
  logins,
  authorisation,
  features,
  noPhase3,
  permissions,
  maintenanceOff,
  smoke,
  loadCheck(
    "stable-load",
    "Stable under normal load: errors below 0.1 %, response times near the baseline",
    async (context) => burst(context, await login(context), "/api/projects?limit=20", 200, 4),
    ({ errorShare, medianMs, beforeMs }) => {
      if (errorShare >= 0.001) return "0.1 %";
      return medianMs > slowAbove(beforeMs ?? 0) ? `${slowAbove(beforeMs ?? 0).toFixed(0)} ms` : null;
    },
  ),
];
