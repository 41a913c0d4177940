/** Every check but those in `verify/`, in the order in which they run: what counts comes before what writes, what reads logs after what causes lines in them. */
import type { CheckDefinition } from "../../../config/system/check.ts";
import { environmentConnection, environmentFlags, environmentKeys, environmentVariables } from "./environment.ts";
import { errorLog } from "./error-log.ts";
import { errorRate } from "./error-rate.ts";
import { materialisedViews, noOrphans, rlsPolicies, sequences, triggersRecorded } from "./integrity.ts";
import { counts, noMigrationErrors, phase2TablesGone, select1 } from "./restore.ts";
import { rlsIsolation } from "./rls-isolation.ts";
import { accessible, createTicket, dashboard, health, loginWorks, noPhase2, tickets, viewTicket } from "./smoke.ts";
import { triggersFunctioning } from "./triggers-functioning.ts";

export const CHECKS: CheckDefinition[] = [
  select1,
  counts,
  phase2TablesGone,
  noMigrationErrors,
  materialisedViews,
  rlsPolicies,
  rlsIsolation,
  triggersRecorded,
  noOrphans,
  sequences,
  environmentVariables,
  environmentConnection,
  environmentKeys,
  environmentFlags,
  accessible,
  health,
  loginWorks,
  dashboard,
  tickets,
  viewTicket,
  noPhase2,
  createTicket,
  triggersFunctioning,
  errorRate,
  errorLog,
];
