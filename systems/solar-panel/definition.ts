/** Solar Panel Production Tracking: a production line that writes to PostgreSQL, whose constraints are rolled back. */
import type { DrilledSystem } from "../../config/system/definition.ts";
import { generated } from "../../config/system/secret.ts";
import { login, readPanels } from "./api.ts";
import { CHECKS } from "./checks/all.ts";
import { services, listeners, SECRETS } from "./services.ts";
import { CONSTRAINT_RECORDS, CONSTRAINTS } from "./constraints.ts";
import { DATABASE, solarDatabase } from "./database.ts";
import { FAULTS } from "./faults/all.ts";
import { MESSAGES } from "./messages.ts";
import { policy } from "./policy.ts";
import { scopes } from "./scopes.ts";
import { seed } from "./seed.ts";
import { watches } from "./watches.ts";
import { witness } from "./witness.ts";

export const solarPanel: DrilledSystem = {
  name: "solar-panel",
  title: "Solar Panel Production Tracking",
  folder: import.meta.dirname,
  services,
  stopOrder: ["line"],
  databases: { [DATABASE]: solarDatabase },
  listeners,
  secrets: generated(Object.values(SECRETS)),
  constraints: CONSTRAINTS,
  constraintRecords: CONSTRAINT_RECORDS,
  effects: [],
  scopes,
  defaultScope: "critical",
  checks: CHECKS,
  watches,
  readProbe: async (context) => {
    const token = await login(context);
    return async () => void (await readPanels(context, token));
  },
  policy,
  maintenanceMessage: MESSAGES.stopped,
  retryAfterSeconds: 60,
  drill: { from: "v2.0.0", to: "v1.0.0", defaultFault: "total-failure", faults: FAULTS, seed, witness, standIns: {} },
};

export { solarPanel as definition };
