import type { FaultDefinition } from "../../../config/system/drill.ts";
import { dataCorruption } from "./data-corruption.ts";
import { databaseLeftBehind } from "./database-left-behind.ts";
import { errorRate } from "./error-rate.ts";
import { failedMigration } from "./failed-migration.ts";
import { failedRollback } from "./failed-rollback.ts";
import { rlsFailure } from "./rls-failure.ts";

export const FAULTS: Record<string, FaultDefinition> = {
  "data-corruption": dataCorruption,
  "failed-migration": failedMigration,
  "rls-failure": rlsFailure,
  "error-rate": errorRate,
  "database-left-behind": databaseLeftBehind,
  "failed-rollback": failedRollback,
};
