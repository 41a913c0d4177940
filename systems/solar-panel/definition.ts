/** Solar Panel Production Tracking: a production line that writes to PostgreSQL, whose constraints are rolled back. */
import { defineSystem, postgres } from "../../components/define.ts";
import { generated } from "../../config/system/secret.ts";
import { kitProgram, kitWitness, probeOf } from "../kit/described.ts";
import { DATABASE, login, OPERATOR, OPERATOR_SECRET, PANEL, readPanels } from "./api.ts";
import { CHECKS } from "./checks.ts";
import { CONSTRAINT_RECORDS, CONSTRAINTS } from "./constraints.ts";
import { FAULTS } from "./faults.ts";
import { scopes, watches } from "./scopes.ts";
import { seed } from "./seed.ts";

export const definition = defineSystem(
  "solar-panel",
  {
    title: "Solar Panel Production Tracking",
    // The manual names no program: the line service stands for the production line, and stopping production is stopping it behind a closed gate.
    services: {
      line: kitProgram({ database: DATABASE, secrets: { JWT_SECRET: "jwt", OPERATOR_PASSWORD: OPERATOR_SECRET } }),
    },
    secrets: generated(["jwt", OPERATOR_SECRET]),
    databases: {
      [DATABASE]: postgres({
        migrations: "migrations",
        ledger: "prisma",
        tables: ["users", "stations", "manufacturing_orders", "pallets", "panels", "inspections"],
        principalTable: "panels",
        appendOnly: ["rollback_test_results"],
      }),
    },
    constraints: CONSTRAINTS,
    constraintRecords: CONSTRAINT_RECORDS,
    scopes,
    checks: CHECKS,
    watches,
    readProbe: probeOf(login, readPanels),
    maintenanceMessage: "Production stopped: the line is being brought back into order",
    drill: {
      from: "v2.0.0",
      to: "v1.0.0",
      faults: FAULTS,
      seed,
      witness: kitWitness({
        service: "line",
        username: OPERATOR,
        secret: OPERATOR_SECRET,
        path: "/api/panels",
        more: PANEL,
        table: "panels",
        key: "serial_number",
        value: "notes",
      }),
    },
  },
  import.meta.dirname,
);
