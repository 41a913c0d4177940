/** Checks of the service as its users see it. */
import type { CheckContext } from "../../../config/system/check.ts";
import { ADMIN, burst, EXPORT_PATH, IMPORT_PATH, login as logIn, request, rows, TEST_USER } from "../api.ts";
import { AnswerError, burstInWords } from "../../kit/client.ts";
import { check, failed, passed, skipped } from "../../kit/outcome.ts";

export const health = check("health", "/health answers healthy", async (context) => {
  const response = await context.fetch(`${context.url("app")}/health`);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError("GET /health", response.status, text);
  const { status, version } = JSON.parse(text) as { status?: string; version?: string };
  if (status !== "healthy") return failed(`/health says ${status ?? "nothing"}`);
  const pinned = context.releases["app"];
  return version === pinned
    ? passed(`healthy, ${version ?? ""}`)
    : failed(`/health answers as ${version ?? "no release"}, pinned is ${pinned ?? "none"}`);
});

export const login = check("login", "An administrator and a user log in; a wrong password does not", async (context) => {
  await logIn(context, ADMIN);
  await logIn(context, TEST_USER);
  const wrong = await request(context, null, "/api/auth/login", {
    method: "POST",
    body: { username: TEST_USER, password: "not the password" },
  });
  await wrong.text();
  return wrong.status === 401
    ? passed("both logged in; a wrong password is refused")
    : failed(`a wrong password was answered ${wrong.status}`);
});

export const authorisation = check(
  "authorisation",
  "Without a token no data is shown, and users are no administrators",
  async (context) => {
    const anonymous = await request(context, null, "/api/projects");
    await anonymous.text();
    if (anonymous.status !== 401) return failed(`without a token /api/projects answers ${anonymous.status}`);
    const user = await request(context, await logIn(context), "/api/admin/users");
    await user.text();
    return user.status === 403
      ? passed("401 without a token, 403 for users on administrators' pages")
      : failed(`a user got ${user.status} from /api/admin/users`);
  },
);

export const features = check("features", "Viewing data, administration and the database connection work", async (context) => {
  const token = await logIn(context, ADMIN);
  const projects = await rows(context, token, "/api/projects?limit=20");
  const phases = await rows(context, token, "/api/phases?limit=20");
  const steps = await rows(context, token, "/api/step-progress?limit=20");
  const users = await rows(context, token, "/api/admin/users");
  const database = await request(context, token, "/health/db");
  const text = await database.text();
  if (database.status !== 200) throw new AnswerError("GET /health/db", database.status, text);
  if (users.length === 0) return failed("the administrators' list of users is empty");
  return passed(`${projects.length} projects, ${phases.length} phases, ${steps.length} steps, ${users.length} users`);
});

/** Phase 3's features, by the words that users see and the paths that programs call. */
const WORDS = [/inline edit/i, /json (?:import|export|op)/i, /runtime status/i];
const ADDRESSES: { method: string; path: string; body?: unknown }[] = [
  { method: "GET", path: EXPORT_PATH },
  { method: "POST", path: IMPORT_PATH, body: {} },
  { method: "PATCH", path: "/api/inline/step-progress/0", body: { percent: 0 } },
  { method: "POST", path: "/api/operations/status", body: {} },
  { method: "GET", path: "/api/runtime-status" },
];

export const noPhase3 = check("no-phase-3", "No Phase 3 feature is visible: inline editing, JSON operations", async (context) => {
  if (isPhase3(context)) return skipped(`${context.releases["app"] ?? ""} is Phase 3`);
  const token = await logIn(context, ADMIN);
  const page = await (await request(context, token, "/")).text();
  const list = await (await request(context, token, "/api/features")).text();
  for (const word of WORDS)
    for (const [where, text] of [
      ["the page", page],
      ["/api/features", list],
    ] as const) {
      const found = word.exec(text);
      if (found !== null) return failed(`${where} still says "${found[0]}"`);
    }
  for (const { method, path, body } of ADDRESSES) {
    const response = await request(context, token, path, { method, ...(body === undefined ? {} : { body }) });
    await response.text();
    if (response.status !== 404) return failed(`${method} ${path} answers ${response.status} and must not exist`);
  }
  return passed(`none of ${WORDS.length} features on the page, none of ${ADDRESSES.length} addresses answers`);
});

function isPhase3({ releases }: CheckContext): boolean {
  return releases["app"]?.startsWith("phase-3") === true;
}

export const maintenanceOff = check("maintenance-off", "Maintenance is declared off", async ({ maintenance: { mode, message }, scope }) => {
  const says = `maintenance is ${mode}: ${message}`;
  // If no procedure requires it to be off, it is intended.
  return Promise.resolve(mode === "off" ? passed("off") : scope === null ? skipped(says) : failed(says));
});

export const smoke = check("smoke", "Smoke test: the pages that an administrator uses", async (context) => {
  const token = await logIn(context, ADMIN);
  const page = await request(context, token, "/");
  const html = await page.text();
  const pinned = context.releases["app"] ?? "";
  if (!html.includes(`content="${pinned}"`)) return failed(`the page is not from ${pinned}`);
  const [project] = await rows<{ id: number; code: string }>(context, token, "/api/projects?limit=1");
  if (project === undefined) return skipped("no project exists");
  const one = await request(context, token, `/api/projects/${encodeURIComponent(project.code)}`);
  const text = await one.text();
  if (one.status !== 200) throw new AnswerError(`GET /api/projects/${project.code}`, one.status, text);
  const phases = await rows<{ id: number }>(context, token, `/api/phases?project_id=${project.id}`);
  const steps =
    phases[0] === undefined ? [] : await rows<{ percent: number }>(context, token, `/api/step-progress?phase_id=${phases[0].id}`);
  const wrong = steps.filter(({ percent }) => percent < 0 || percent > 100);
  return wrong.length > 0
    ? failed(`${wrong.length} steps of ${project.code} have a progress outside 0 to 100`)
    : passed(`${project.code} with ${phases.length} phases and ${steps.length} steps of the first`);
});

const REQUESTS = 200;
const ERROR_SHARE_LIMIT = 0.001;
const TIMES_BASELINE = 5;
/** Below this users notice nothing, and five times a very short time is noise. */
const UNNOTICED_MS = 100;

export const stableLoad = check(
  "stable-load",
  "Stable under normal load: errors below 0.1 %, response times near the baseline",
  async (context) => {
    const taken = await burst(context, await logIn(context), "/api/projects?limit=20", REQUESTS, 4);
    const { requests, errors, medianMs } = taken;
    const before = context.baseline?.latencyMs ?? null;
    const limitMs = Math.max(UNNOTICED_MS, (before ?? 0) * TIMES_BASELINE);
    const detail = burstInWords(taken, before);
    const figures = { requests, errors, medianMs };
    if (requests === 0 || errors / requests >= ERROR_SHARE_LIMIT) return { ...failed(`${detail}; the limit is 0.1 %`), figures };
    if (medianMs > limitMs) return { ...failed(`${detail}; the limit is ${limitMs.toFixed(0)} ms`), figures };
    return { ...passed(detail), figures };
  },
);
