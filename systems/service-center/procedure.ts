/** The times of the manual's procedure, seconds, each at its fastest, and the phases of a rollout that do its work. */

const MINUTE = 60;

/** The critical path, without the notification afterwards. */
export const PROCEDURE = {
  notification: MINUTE,
  application: 3 * MINUTE,
  database: 8 * MINUTE,
  environment: MINUTE,
  restart: 2 * MINUTE,
} as const;

/** Parts of the database's time that belong to other phases of a rollout. */
const DATABASE_STEPS = { stopTraffic: MINUTE / 2, safetyBackup: 2 * MINUTE, verify: 2 * MINUTE };

/** Target: 15 minutes. The worst case of 21 is not planned with. */
export const TARGET_SECONDS = Object.values(PROCEDURE).reduce((sum, seconds) => sum + seconds, 0);

/**
 * Budget of each phase of a rollout. Traffic stops before the data, the safety copy lies between; application and environment are put in
 * place once the data is back.
 */
export const PHASE_BUDGETS = {
  plan: PROCEDURE.notification,
  fence: DATABASE_STEPS.stopTraffic,
  snapshot: DATABASE_STEPS.safetyBackup,
  data: PROCEDURE.database - DATABASE_STEPS.stopTraffic - DATABASE_STEPS.safetyBackup - DATABASE_STEPS.verify / 2,
  install: PROCEDURE.application + PROCEDURE.environment,
  start: PROCEDURE.restart / 2,
  verify: PROCEDURE.restart / 2 + DATABASE_STEPS.verify / 2,
};
