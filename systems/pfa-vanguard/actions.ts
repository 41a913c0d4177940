/** Actions that wait until a rollback has proved good. */
import type { ActionDefinition } from "../../config/system/definition.ts";
import { SYNC_MIGRATION, SYNC_TABLES } from "./database.ts";

export const DROP_SYNC_TABLES = "drop-sync-tables";

export const actions: Record<string, ActionDefinition> = {
  [DROP_SYNC_TABLES]: {
    title: "Drop the queue and the conflicts that the older release leaves unused",
    why: "The older release ignores both tables; until the rollback has proved good, their rows are needed to go forward again",
    after: ["quick", "full"],
    watches: ["quick", "stable"],
    database: "pfa",
    migration: SYNC_MIGRATION,
    // The conflicts refer to the queue.
    keeps: [...SYNC_TABLES].reverse(),
    work: "drop",
  },
};
