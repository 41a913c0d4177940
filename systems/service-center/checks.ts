/** Every check but those in `verify/`, in the order in which they run: what counts comes before what writes, what reads logs after what causes lines in them. */
import { createHash } from "node:crypto";
import type { Client } from "pg";
import type { CheckContext, CheckDefinition } from "../../config/system/check.ts";
import { check, failed, passed, skipped, writingCheck, type Outcome } from "../../rollout/verification/outcome.ts";
import { countCheck, logCheck } from "../../rollout/verification/ready-checks.ts";
import { healthCheck, loadCheck, writeCheck } from "../kit/checks.ts";
import { isCritical } from "../kit/log.ts";
import { migrationsCheck, orphansCheck, recordedCheck, sequencesCheck, told, viewsCheck } from "../kit/postgres-checks.ts";
import { ask, burst, DATABASE, KEYS, listTickets, login, page, PHASE_1_TABLES, PHASE_2_TABLES, request, type Ticket } from "./api.ts";
import { rlsIsolation } from "./rls-isolation.ts";

/** Phase 1 is what a rollback leads to; Phase 2 what it leaves. */
const PHASE_1 = { database: DATABASE, service: "app", release: "phase-1" };
const onPhase1 = ({ releases }: CheckContext): boolean => releases["app"] === PHASE_1.release;

const TEST_TICKET = { ticketNumber: "VERIFY-000001", subject: "written by a verification, removed by it" };

/** Also what an interrupted verification left behind; its tasks go with it. */
const removeTestTicket = (database: Client) =>
  database.query("DELETE FROM service_tickets WHERE ticket_number = $1 AND subject LIKE $2 || '%'", Object.values(TEST_TICKET));

/** An absence check: on Phase 1 counting must fail because the table does not exist, and for no other reason. */
const phase2TablesGone = check("phase-2-tables-gone", "Counting task_templates must fail: no table of Phase 2 is left", async (context) => {
  const database = await context.database(DATABASE);
  const names = PHASE_2_TABLES.join(" and ");
  for (const table of PHASE_2_TABLES) {
    const code = await database.query(`SELECT COUNT(*) FROM ${table}`).then(
      () => null,
      (error: { code?: string }) => error.code ?? "",
    );
    if (code !== null && code !== "42P01")
      return failed(`counting ${table} failed with ${code}, which does not mean that it does not exist`);
    if (code !== null && !onPhase1(context)) return failed(`${table} should exist on Phase 2`);
    if (code === null && onPhase1(context))
      return failed(
        `${table} exists: the application is rolled back to Phase 1 and the database is not. Roll the database back too: \`backout rollback --scope full\``,
      );
  }
  return passed(onPhase1(context) ? `SELECT COUNT(*) FROM ${names} fails: no such table` : `${names} exist, as Phase 2 needs`);
});

interface Setup {
  variables: Record<string, string>;
  database: string;
  role: string;
}

/** The settings the application really runs with, against the ledger of releases. */
const setupCheck = (id: string, title: string, judge: (setup: Setup, context: CheckContext) => Promise<Outcome> | Outcome) =>
  check(`environment-${id}`, title, async (context) => judge(await ask<Setup>(context, await login(context), "/api/setup"), context));

const environment = [
  setupCheck("variables", "Variables named SUPABASE or SETUP are those of the release", ({ variables }, context) => {
    const declared = context.configuration?.("app") ?? {};
    const all = [...new Set([...Object.keys(declared), ...Object.keys(variables)])].sort();
    const names = all.filter((name) => /SUPABASE|SETUP/.test(name) && !(name in KEYS));
    if (names.length === 0) return failed("the release declares no variable named SUPABASE or SETUP");
    const wrong = names.filter((name) => declared[name] !== variables[name]);
    return told(
      wrong.map((name) => `${name} is ${variables[name] ?? "not set"}, declared is ${declared[name] ?? "none"}`),
      `${names.join(", ")} are as declared`,
    );
  }),
  setupCheck("connection", "The connection string points to the live database", async ({ database, role }, context) => {
    const session = await context.database(DATABASE);
    const { rows } = await session.query<{ name: string; own: string }>("SELECT current_database() AS name, current_user AS own");
    const { name, own } = rows[0]!;
    if (database !== name) return failed(`the application is connected to ${database}, live is ${name}`);
    if (role === own) return failed(`the application is connected as ${role}, the administrative role`);
    return passed(`connected to ${database} as ${role}`);
  }),
  setupCheck("keys", "The API keys are the valid ones", ({ variables }, context) => {
    const hash = (secret: string): string => `sha256:${createHash("sha256").update(context.secret(secret)).digest("hex")}`;
    const wrong = Object.entries(KEYS).filter(([variable, secret]) => variables[variable] !== hash(secret));
    return told(
      wrong.map(([variable]) => `${variable} is ${variables[variable] === undefined ? "not set" : "not the key of this stack"}`),
      `${Object.keys(KEYS).join(" and ")} are the stack's`,
    );
  }),
  // An absence check.
  setupCheck("no-phase-2-flags", "No feature flag of Phase 2 is set on Phase 1", ({ variables }, context) => {
    const flags = Object.keys(variables).filter((name) => name.includes("PHASE2"));
    if (flags.length === 0) return passed("none is set");
    return onPhase1(context)
      ? failed(`${flags.join(", ")} must not be set on Phase 1`)
      : passed(`${flags.join(", ")} belong to Phase 2, which runs`);
  }),
];

const accessible = check("smoke-accessible", "1 The application is accessible", async (context) => {
  const shown = /<meta name="version" content="([^"]*)"/.exec(await page(context, "/"))?.[1] ?? "no version";
  const declared = context.releases["app"] ?? "none";
  return shown === declared ? passed(`the first page says ${shown}`) : failed(`the first page says ${shown}, declared is ${declared}`);
});

const loginWorks = check("smoke-login", "3 The login page loads and the administrator can log in", async (context) => {
  await page(context, "/login");
  await login(context);
  return passed("/login loads, the administrator was given a token");
});

const dashboard = check("smoke-dashboard", "4 The dashboard loads", async (context) => {
  await page(context, "/dashboard");
  const { tickets } = await ask<{ tickets: unknown[] }>(context, await login(context), "/api/dashboard");
  return passed(`/dashboard loads and counts ${tickets.length} states of tickets`);
});

const tickets = check("smoke-tickets", "5 The tickets page loads", async (context) => {
  await page(context, "/tickets");
  const rows = await listTickets(context, await login(context));
  const before = context.baseline?.counts["service_tickets"] ?? 0;
  // A tenant without tickets proves nothing where the system has some.
  if (rows.length === 0 && before > 1) return failed(`no ticket is shown, although ${before} were counted before`);
  return passed(`/tickets loads and shows ${rows.length} tickets`);
});

const viewTicket = check("smoke-view-ticket", "7 An existing ticket can be viewed", async (context) => {
  const token = await login(context);
  const [first] = await listTickets(context, token);
  if (first === undefined) return skipped("no ticket exists");
  const seen = await ask<Ticket>(context, token, `/api/tickets/${encodeURIComponent(first.ticketNumber)}`);
  return seen.ticketNumber === first.ticketNumber
    ? passed(`${seen.ticketNumber} can be viewed`)
    : failed(`asked for ${first.ticketNumber}, shown is ${seen.ticketNumber}`);
});

const PHASE_2_PATHS = { "/my-tasks": "My Tasks", "/api/tasks": "My Tasks", "/templates": "Templates", "/api/templates": "Templates" };

/** An absence check: neither link, page nor interface may be left. */
const noPhase2 = check("smoke-no-phase-2", "8 Nothing of Phase 2 is visible: no My Tasks, no Templates", async (context) => {
  if (!onPhase1(context)) return skipped("Phase 2 is declared: its features may be seen");
  const token = await login(context);
  for (const path of ["/", "/dashboard", "/tickets"]) {
    const linked = /My Tasks|Templates/.exec(await page(context, path));
    if (linked !== null) return failed(`${path} shows "${linked[0]}"`);
  }
  for (const [path, name] of Object.entries(PHASE_2_PATHS)) {
    const response = await request(context, token, path);
    await response.text();
    if (response.status !== 404) return failed(`${path} (${name}) answers ${response.status}, not 404`);
  }
  return passed("no page links My Tasks or Templates, and their addresses answer 404");
});

/** Writes inside a transaction that is rolled back: shows what the triggers do, and leaves nothing. */
const triggersFunctioning = writingCheck(
  "triggers-functioning",
  "Triggers work: a number is given, the time of a change is kept",
  async (context) => {
    const database = await context.database(DATABASE);
    const [column, value] = onPhase1(context) ? ["", ""] : [", workflow_state", ", 'received'"];
    await database.query("BEGIN");
    try {
      const { rows: made } = await database.query<{ number: string }>(
        `INSERT INTO service_tickets (tenant_id, subject, updated_at${column})
         VALUES ('north', 'written by a verification, rolled back by it', timestamptz '2000-01-01'${value}) RETURNING ticket_number AS number`,
      );
      const number = made[0]!.number;
      if (!/^SC-\d{6,}$/.test(number)) return failed(`a new ticket was given the number ${number}`);
      const { rows: changed } = await database.query<{ moved: boolean }>(
        "UPDATE service_tickets SET status = 'closed' WHERE ticket_number = $1 RETURNING updated_at > timestamptz '2000-01-01' AS moved",
        [number],
      );
      if (changed[0]?.moved !== true) return failed("a change does not move updated_at");
      if (onPhase1(context)) return passed(`${number} was given, updated_at moved; rolled back`);
      const { rows: tasks } = await database.query<{ rows: number }>(
        `SELECT count(*)::float8 AS rows FROM service_ticket_tasks k JOIN service_tickets t ON t.id = k.ticket_id WHERE t.ticket_number = $1`,
        [number],
      );
      return tasks[0]!.rows > 0
        ? passed(`${number} was given, updated_at moved, ${tasks[0]!.rows} tasks made; rolled back`)
        : failed("no task was made from the templates");
    } finally {
      await database.query("ROLLBACK");
    }
  },
);

export const CHECKS: CheckDefinition[] = [
  // Before the checks that write, whose rows would be counted.
  countCheck({
    id: "counts",
    title: "Rows of service_tickets, customers, products and parts equal those before",
    database: DATABASE,
    tables: PHASE_1_TABLES,
    first: async (context) => removeTestTicket(await context.database(DATABASE)),
  }),
  phase2TablesGone,
  migrationsCheck(DATABASE, "supabase", import.meta.dirname, "app"),
  viewsCheck(PHASE_1),
  recordedCheck("rls-policies", "Row level security and its policies", PHASE_1, ["policies", "rowSecurity"]),
  rlsIsolation,
  recordedCheck("triggers-recorded", "Triggers and their functions", PHASE_1, ["triggers", "functions", "constraints"]),
  orphansCheck(DATABASE),
  sequencesCheck(DATABASE),
  ...environment,
  accessible,
  healthCheck("smoke-health", "2 The health check passes", "app", ["/api/health"]),
  loginWorks,
  dashboard,
  tickets,
  viewTicket,
  noPhase2,
  writeCheck("smoke-create-ticket", "6 A new ticket can be created", {
    database: DATABASE,
    name: TEST_TICKET.ticketNumber,
    request: "POST /api/tickets",
    send: async (context) => request(context, await login(context), "/api/tickets", { method: "POST", body: TEST_TICKET }),
    find: ["SELECT FROM service_tickets WHERE ticket_number = $1", [TEST_TICKET.ticketNumber]],
    remove: removeTestTicket,
  }),
  triggersFunctioning,
  // A sample: what a watch adds up over its time.
  loadCheck(
    "error-rate",
    "Fewer than 5 % of requests fail, responses are faster than 3 s",
    async (context) => burst(context, await login(context), 40, 4),
    ({ errorShare, medianMs }) => (errorShare > 0.05 ? "5 %" : medianMs > 3000 ? "3 s" : null),
  ),
  logCheck({ title: "The last 100 lines of the error log hold nothing critical", services: ["app"], isCritical }),
];
