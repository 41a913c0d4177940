/**
 * Service Center: one application with row level security, triggers and materialised views in its database; Phase 2 is rolled back to Phase
 * 1.
 */
import type { DrilledSystem } from "../../config/system/definition.ts";
import { generated } from "../../config/system/secret.ts";
import { listTickets, login } from "./api.ts";
import { CHECKS } from "./checks/all.ts";
import { services, listeners, SECRETS } from "./services.ts";
import { DATABASE, serviceCenterDatabase } from "./database.ts";
import { evidence } from "./evidence.ts";
import { FAULTS } from "./faults/all.ts";
import { MESSAGES } from "./messages.ts";
import { policy } from "./policy.ts";
import { scopes } from "./scopes.ts";
import { seed } from "./seed.ts";
import { watches } from "./watches.ts";
import { witness } from "./witness.ts";

export const serviceCenter: DrilledSystem = {
  name: "service-center",
  title: "Service Center",
  folder: import.meta.dirname,
  services,
  stopOrder: ["app"],
  databases: { [DATABASE]: serviceCenterDatabase },
  listeners,
  secrets: generated(Object.values(SECRETS)),
  effects: [],
  scopes,
  defaultScope: "full",
  partialMigrationScope: "partial-migration",
  checks: CHECKS,
  watches,
  readProbe: async (context) => {
    const token = await login(context);
    return async () => void (await listTickets(context, token));
  },
  policy,
  evidence,
  maintenanceMessage: MESSAGES.maintenance,
  retryAfterSeconds: 60,
  drill: { from: "phase-2", to: "phase-1", defaultFault: "data-corruption", faults: FAULTS, seed, witness, standIns: {} },
};

export { serviceCenter as definition };
