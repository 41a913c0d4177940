/** PFA Vanguard: a backend, a worker that writes to the external PEMS API, a static frontend, one PostgreSQL database. */
import type { DrilledSystem } from "../../config/system/definition.ts";
import { generated } from "../../config/system/secret.ts";
import { actions } from "./actions.ts";
import { list, login } from "./api.ts";
import { CHECKS } from "./checks/all.ts";
import { services, listeners, SECRETS } from "./services.ts";
import { effects, flagStore, pfaDatabase } from "./database.ts";
import { FAULTS } from "./faults/all.ts";
import { MESSAGES } from "./messages.ts";
import { policy } from "./policy.ts";
import { scopes } from "./scopes.ts";
import { seed } from "./seed.ts";
import { watches } from "./watches.ts";
import { witness } from "./witness.ts";

export const pfaVanguard: DrilledSystem = {
  name: "pfa-vanguard",
  title: "PFA Vanguard",
  folder: import.meta.dirname,
  services,
  // The worker first: rows that it pushes to PEMS cannot be reverted.
  stopOrder: ["worker", "backend", "frontend"],
  databases: { pfa: pfaDatabase },
  listeners,
  secrets: generated(Object.values(SECRETS)),
  flags: flagStore,
  effects,
  scopes,
  defaultScope: "quick",
  checks: CHECKS,
  watches,
  actions,
  readProbe: async (context) => {
    const token = await login(context);
    return async () => void (await list(context, token, { limit: "20" }));
  },
  policy,
  maintenanceMessage: MESSAGES.maintenance,
  retryAfterSeconds: 60,
  drill: {
    from: "v4.0.0",
    to: "v3.0.0",
    defaultFault: "corrupting-writes",
    faults: FAULTS,
    seed,
    witness,
    standIns: {
      pems: { entry: "stand-ins/pems.ts", urlKey: "PEMS_URL", environment: ({ secret }) => ({ PEMS_TOKEN: secret(SECRETS.pems) }) },
    },
  },
};

export { pfaVanguard as definition };
