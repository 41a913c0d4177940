/** Service Center: one application with row level security, triggers and materialised views in its database; Phase 2 goes back to Phase 1. */
import { defineSystem, postgres } from "../../components/define.ts";
import { generated } from "../../config/system/secret.ts";
import { kitProgram, kitWitness, probeOf } from "../kit/described.ts";
import { ACCOUNTS, DATABASE, KEYS, listTickets, login, PHASE_2_TABLES } from "./api.ts";
import { CHECKS } from "./checks.ts";
import { evidence } from "./evidence.ts";
import { FAULTS } from "./faults.ts";
import { scopes, watches } from "./scopes.ts";
import { seed } from "./seed.ts";

const SECRETS = { JWT_SECRET: "jwt", ADMIN_PASSWORD: ACCOUNTS.north.secret, SECOND_TENANT_PASSWORD: ACCOUNTS.south.secret, ...KEYS };

export const definition = defineSystem(
  "service-center",
  {
    title: "Service Center",
    services: {
      app: kitProgram({ database: DATABASE, health: "/api/health", secrets: SECRETS }),
    },
    secrets: generated(Object.values(SECRETS)),
    databases: {
      [DATABASE]: postgres({
        migrations: "migrations",
        ledger: "supabase",
        tables: ["customers", "products", "parts", "service_tickets", ...PHASE_2_TABLES],
        principalTable: "service_tickets",
        newerSchema: "breaks",
        refreshViews: true,
      }),
    },
    scopes,
    partialMigrationScope: "partial-migration",
    checks: CHECKS,
    watches,
    readProbe: probeOf(login, listTickets),
    evidence,
    maintenanceMessage: "Service maintenance in progress",
    drill: {
      from: "phase-2",
      to: "phase-1",
      faults: FAULTS,
      seed,
      witness: kitWitness({
        service: "app",
        ...ACCOUNTS.north,
        path: "/api/tickets",
        table: "service_tickets",
        key: "ticket_number",
        value: "subject",
      }),
    },
  },
  import.meta.dirname,
);
