/** The manual's eight smoke tests. */
import { ask, listTickets, login, page, request, type Ticket } from "../api.ts";
import { AnswerError } from "../../kit/client.ts";
import { DATABASE } from "../database.ts";
import { check, failed, onPhase1, passed, skipped } from "./outcome.ts";
import { removeTestTicket, TEST_TICKET } from "./test-ticket.ts";

const PHASE_2_FEATURES = [
  { name: "My Tasks", page: "/my-tasks", api: "/api/tasks" },
  { name: "Templates", page: "/templates", api: "/api/templates" },
];

export const accessible = check("smoke-accessible", "1 The application is accessible", async (context) => {
  const html = await page(context, "/");
  const shown = /<meta name="version" content="([^"]*)"/.exec(html)?.[1];
  const declared = context.releases["app"];
  return shown === declared
    ? passed(`the first page says ${shown ?? "?"}`)
    : failed(`the first page says ${shown ?? "no version"}, declared is ${declared ?? "none"}`);
});

export const health = check("smoke-health", "2 The health check passes", async (context) => {
  const { status, version } = JSON.parse(await page(context, "/api/health")) as { status?: string; version?: string };
  const declared = context.releases["app"];
  if (status !== "healthy") return failed(`/api/health says ${status ?? "nothing"}`);
  return version === declared
    ? passed(`/api/health: healthy, ${version ?? "?"}`)
    : failed(`/api/health answers with ${version ?? "no version"}, declared is ${declared ?? "none"}`);
});

export const loginWorks = check("smoke-login", "3 The login page loads and the administrator can log in", async (context) => {
  await page(context, "/login");
  await login(context);
  return passed("/login loads, the administrator was given a token");
});

export const dashboard = check("smoke-dashboard", "4 The dashboard loads", async (context) => {
  await page(context, "/dashboard");
  const { tickets } = await ask<{ tickets: unknown[] }>(context, await login(context), "/api/dashboard");
  return passed(`/dashboard loads and counts ${tickets.length} states of tickets`);
});

export const tickets = check("smoke-tickets", "5 The tickets page loads", async (context) => {
  await page(context, "/tickets");
  const rows = await listTickets(context, await login(context));
  const before = context.baseline?.counts["service_tickets"] ?? 0;
  // A tenant without tickets proves nothing where the system has some.
  if (rows.length === 0 && before > 1) return failed(`no ticket is shown, although ${before} were counted before`);
  return passed(`/tickets loads and shows ${rows.length} tickets`);
});

export const createTicket = check(
  "smoke-create-ticket",
  "6 A new ticket can be created",
  async (context) => {
    if (context.maintenance.mode !== "off") return skipped(`the system is declared ${context.maintenance.mode}: users cannot write`);
    const database = await context.database(DATABASE);
    await removeTestTicket(database);
    try {
      const { status, text } = await request(context, await login(context), "/api/tickets", { method: "POST", body: TEST_TICKET });
      if (status === 409) return failed(`a ticket ${TEST_TICKET.ticketNumber} exists that no verification wrote; rename it`);
      if (status !== 200) throw new AnswerError("POST /api/tickets", status, text);
      const { rows } = await database.query("SELECT FROM service_tickets WHERE ticket_number = $1", [TEST_TICKET.ticketNumber]);
      return rows.length === 1
        ? passed(`${TEST_TICKET.ticketNumber} written, found and removed`)
        : failed("the write was acknowledged, but its row was not found");
    } finally {
      await removeTestTicket(database);
    }
  },
  true,
);

export const viewTicket = check("smoke-view-ticket", "7 An existing ticket can be viewed", async (context) => {
  const token = await login(context);
  const [first] = await listTickets(context, token);
  if (first === undefined) return skipped("no ticket exists");
  const seen = await ask<Ticket>(context, token, `/api/tickets/${encodeURIComponent(first.ticketNumber)}`);
  return seen.ticketNumber === first.ticketNumber
    ? passed(`${seen.ticketNumber} can be viewed`)
    : failed(`asked for ${first.ticketNumber}, shown is ${seen.ticketNumber}`);
});

/** An absence check: neither link, page nor interface may be left. */
export const noPhase2 = check("smoke-no-phase-2", "8 Nothing of Phase 2 is visible: no My Tasks, no Templates", async (context) => {
  if (!onPhase1(context)) return skipped("Phase 2 is declared: its features may be seen");
  const token = await login(context);
  for (const path of ["/", "/dashboard", "/tickets"]) {
    const html = await page(context, path);
    const linked = PHASE_2_FEATURES.find(({ name }) => html.includes(name));
    if (linked !== undefined) return failed(`${path} shows "${linked.name}"`);
  }
  for (const { name, ...paths } of PHASE_2_FEATURES)
    for (const path of Object.values(paths)) {
      const { status } = await request(context, token, path);
      if (status !== 404) return failed(`${path} (${name}) answers ${status}, not 404`);
    }
  return passed("no page links My Tasks or Templates, and their addresses answer 404");
});
