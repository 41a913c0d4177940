/** The line from its users' view: health, login, reading, writing. */
import { check, failed, passed, skipped } from "../../kit/outcome.ts";
import { login as logIn, newPanel, OPERATOR, readPanels, request } from "../api.ts";
import { AnswerError } from "../../kit/client.ts";
import { solar } from "./inspect.ts";

export const health = check("health", "The line and its database answer healthy", async (context) => {
  const seen: string[] = [];
  for (const path of ["/health", "/health/db"]) {
    const response = await context.fetch(`${context.url("line")}${path}`);
    const text = (await response.text()).trim();
    const body = response.status === 200 ? (JSON.parse(text) as { status?: string; version?: string }) : {};
    if (body.status !== "healthy") return failed(`${path} answered ${response.status} ${text.slice(0, 160)}`);
    const declared = context.releases["line"];
    if (path === "/health" && body.version !== declared)
      return failed(`${path} answers with version ${body.version ?? "none"}, declared is ${declared ?? "none"}`);
    seen.push(`${path} ${text}`);
  }
  return passed(seen.join("; "));
});

export const login = check("login", "An operator can log in", async (context) => {
  await logIn(context);
  return passed(`${OPERATOR} was given a token`);
});

/** Below this users notice nothing: a faster answer counts as fast as before. Milliseconds. */
const UNNOTICED_MS = 100;
const SHARE_OF_BASELINE = 0.9;
const READS = 15;

export const performance_ = check("performance", "Reading is at least 90 % as fast as before", async (context) => {
  const token = await logIn(context);
  const times: number[] = [];
  for (let read = 0; read < READS; read++) {
    const startedAt = performance.now();
    await readPanels(context, token);
    times.push(performance.now() - startedAt);
  }
  const median = times.sort((a, b) => a - b)[Math.floor(READS / 2)]!;
  const before = context.baseline?.latencyMs ?? null;
  const limit = Math.max(UNNOTICED_MS, before === null ? 0 : before / SHARE_OF_BASELINE);
  const detail = `median ${median.toFixed(1)} ms${before === null ? "" : ` (before: ${before.toFixed(1)} ms)`}`;
  return median <= limit ? passed(detail) : failed(`${detail}; the limit is ${limit.toFixed(1)} ms`);
});

const UPTIME = 0.99;
const REQUESTS = 200;
const WIDTH = 4;

export const continuity = check("continuity", "More than 99 % of requests are answered", async (context) => {
  const token = await logIn(context);
  let errors = 0;
  const some = async (): Promise<void> => {
    for (let count = 0; count < REQUESTS / WIDTH; count++) await readPanels(context, token).catch(() => void (errors += 1));
  };
  await Promise.all(Array.from({ length: WIDTH }, some));
  const detail = `${errors} of ${REQUESTS} requests failed`;
  const outcome = 1 - errors / REQUESTS > UPTIME ? passed(detail) : failed(`${detail}; the limit is ${Math.round((1 - UPTIME) * 100)} %`);
  return { ...outcome, figures: { requests: REQUESTS, errors } };
});

const TEST_PANEL = "VERIFY-000001";

/** An operator's steps: begins a panel, finds it, removes it from the line. */
export const write = {
  ...check("write", "A panel can be begun; it is removed afterwards", async (context) => {
    if (context.maintenance.mode !== "off") return skipped(`the line is declared ${context.maintenance.mode}`);
    const database = await solar(context);
    const token = await logIn(context);
    const remove = async (): Promise<void> =>
      void (await database.query("DELETE FROM panels WHERE serial_number = $1 AND notes = 'written by a verification'", [TEST_PANEL]));
    await remove();
    try {
      const { status, text } = await request(context, token, "POST", "/api/panels", newPanel(TEST_PANEL, "written by a verification"));
      if (status !== 200) throw new AnswerError("POST /api/panels", status, text);
      const { rows } = await database.query("SELECT FROM panels WHERE serial_number = $1", [TEST_PANEL]);
      if (rows.length !== 1) return failed("the panel was acknowledged, but is not in the database");
    } finally {
      await remove();
    }
    return passed(`${TEST_PANEL} begun, found and removed`);
  }),
  writes: true as const,
};
