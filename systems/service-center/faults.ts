/** What a drill breaks: defects of phase-2, switched on as somebody who is logged in, and damage in the database. */
import type { DrillContext, FaultDefinition } from "../../config/system/drill.ts";
import { asUser, inTurn, switchOf, written } from "../kit/fault-switch.ts";
import { rowsProbe } from "../kit/probes.ts";
import { burst, DATABASE, listTickets, login, PHASE_2_TABLES } from "./api.ts";

const switchOn = switchOf({ service: "app", release: "phase-2", login });

async function query(context: DrillContext, sql: string, values: unknown[] = []): Promise<Record<string, string | number | null>[]> {
  return (await (await context.database(DATABASE)).query<Record<string, string | number | null>>(sql, values)).rows;
}

async function tablesOfPhase2(context: DrillContext): Promise<string> {
  const there = await query(
    context,
    "SELECT string_agg(name, ', ') AS names FROM unnest($1::text[]) AS name WHERE to_regclass('public.' || name) IS NOT NULL",
    [PHASE_2_TABLES],
  );
  return String(there[0]!["names"] ?? "");
}

const corruption = {
  scope: "full",
  switchOn: inTurn(
    switchOn("data-corruption"),
    written({ service: "app", login }, "/api/tickets", () => ({ subject: "made by a drill" })),
  ),
  probe: rowsProbe(
    DATABASE,
    "# tickets belong to a customer of another tenant",
    "service_tickets t JOIN customers c ON c.id = t.customer_id WHERE c.tenant_id <> t.tenant_id",
  ),
};

export const FAULTS: Record<string, FaultDefinition> = {
  "data-corruption": { title: "Every write gives other tickets to a customer of another tenant", ...corruption },
  "failed-migration": {
    title: "A migration of Phase 2 fails half-way, on a row nobody expected",
    scope: "partial-migration",
    // Too long for a work order of Phase 2, and nothing Phase 1 minded.
    beforeDeploy: async (context) =>
      void (await query(context, "INSERT INTO service_tickets (tenant_id, subject) VALUES ('north', repeat('long ', 48))")),
    switchOn: inTurn(),
    probe: async (context) => {
      const there = await tablesOfPhase2(context);
      return there !== "" && there !== PHASE_2_TABLES.join(", ") ? `of the tables of Phase 2 only ${there} exists` : null;
    },
  },
  "rls-failure": {
    title: "A policy lets every tenant read the tickets of all",
    scope: "full",
    // As a repair made in haste would: a second policy widens the first, nothing fails and no test of one tenant sees it.
    switchOn: async (context) =>
      void (await query(context, "CREATE POLICY service_tickets_support ON service_tickets FOR SELECT USING (true)")),
    probe: asUser(
      (access) => login(access, "south"),
      async (access, token) => {
        const foreign = (await listTickets(access, token)).filter(({ tenant }) => tenant !== "south");
        return foreign.length > 0 ? `tenant south reads ${foreign.length} tickets of other tenants` : null;
      },
    ),
  },
  // Both in one drill: they have the same class, deadline and scope.
  "error-rate": {
    title: "One of five requests answers 500, and every one takes more than three seconds",
    scope: "full",
    switchOn: inTurn(switchOn("error-rate", { share: 0.2 }), switchOn("slow-responses", { delayMs: 3300 })),
    probe: asUser(login, async (access, token) => {
      const { requests, errors, medianMs } = await burst(access, token, 20, 20);
      if (errors / requests <= 0.05 && medianMs <= 3000) return null;
      return `${errors} of ${requests} requests failed (limit 5 %), their median is ${Math.round(medianMs)} ms (limit 3000 ms)`;
    }),
  },
  "database-left-behind": {
    title: "The application was rolled back, the database was not",
    scope: "full",
    after: "application",
    switchOn: inTurn(),
    probe: async (context) => {
      const { release } = await context.observe("app");
      const there = await tablesOfPhase2(context);
      return release === "phase-1" && there !== "" ? `phase-1 runs on a database that has ${there}` : null;
    },
  },
  "failed-rollback": {
    title: "The data is corrupt, and the rollback fails: the application cannot start on its port",
    hinder: { portOf: "app" },
    alternative: "standby",
    ...corruption,
  },
};
