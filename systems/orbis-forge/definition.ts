/** OrbisForge (OF-BEV Phase 3): one program on one SQLite file, with restricted permissions and evidence during a rollback. */
import type { DrilledSystem } from "../../config/system/definition.ts";
import { generated } from "../../config/system/secret.ts";
import { auditEntry } from "./audit-entry.ts";
import { login, rows } from "./api.ts";
import { CHECKS } from "./checks/all.ts";
import { completion } from "./completion.ts";
import { services, listeners, SECRETS } from "./services.ts";
import { production } from "./database.ts";
import { evidence } from "./evidence.ts";
import { FAULTS } from "./faults/all.ts";
import { MESSAGES } from "./messages.ts";
import { policy } from "./policy.ts";
import { protections } from "./protections.ts";
import { scopes } from "./scopes.ts";
import { seed } from "./seed.ts";
import { watches } from "./watches.ts";
import { witness } from "./witness.ts";

export const orbisForge: DrilledSystem = {
  name: "orbis-forge",
  title: "OrbisForge administration (OF-BEV)",
  folder: import.meta.dirname,
  services,
  stopOrder: ["app"],
  databases: { production },
  listeners,
  secrets: generated(Object.values(SECRETS)),
  effects: [],
  scopes,
  defaultScope: "full",
  checks: CHECKS,
  readProbe: async (context) => {
    const token = await login(context);
    return async () => void (await rows(context, token, "/api/projects?limit=20"));
  },
  protections,
  evidence,
  auditEntry,
  completion,
  watches,
  policy,
  maintenanceMessage: MESSAGES.maintenance,
  retryAfterSeconds: 30 * 60,
  drill: { from: "phase-3.0.0", to: "v2.4.0", defaultFault: "data-corruption", faults: FAULTS, seed, witness, standIns: {} },
};

export { orbisForge as definition };
