/** The six phases of the manual's procedure with their times, and the phases of a rollout that do their work. */

const MINUTE = 60;

export interface ProcedurePhase {
  title: string;
  /** Documented times, seconds. */
  fastestSeconds: number;
  slowestSeconds: number;
  onCriticalPath: boolean;
}

export const PROCEDURE: Record<string, ProcedurePhase> = {
  notification: { title: "1 Notification", fastestSeconds: MINUTE, slowestSeconds: MINUTE, onCriticalPath: true },
  application: { title: "2 Application rollback", fastestSeconds: 3 * MINUTE, slowestSeconds: 5 * MINUTE, onCriticalPath: true },
  database: { title: "3 Database rollback", fastestSeconds: 8 * MINUTE, slowestSeconds: 10 * MINUTE, onCriticalPath: true },
  environment: { title: "4 Environment restoration", fastestSeconds: MINUTE, slowestSeconds: 2 * MINUTE, onCriticalPath: true },
  restart: {
    title: "5 Application restart and verification",
    fastestSeconds: 2 * MINUTE,
    slowestSeconds: 3 * MINUTE,
    onCriticalPath: true,
  },
  communication: { title: "6 Communication afterwards", fastestSeconds: MINUTE, slowestSeconds: MINUTE, onCriticalPath: false },
};

/** Parts of the third phase. */
export const DATABASE_STEPS = { stopTraffic: MINUTE / 2, safetyBackup: 2 * MINUTE, restore: 5 * MINUTE, verify: 2 * MINUTE };

function onCriticalPath(time: (phase: ProcedurePhase) => number): number {
  return Object.values(PROCEDURE).reduce((sum, phase) => sum + (phase.onCriticalPath ? time(phase) : 0), 0);
}

/** What is aimed at, and the worst case: 15 and 21 minutes. */
export const TARGET_SECONDS = onCriticalPath(({ fastestSeconds }) => fastestSeconds);
export const MAXIMUM_SECONDS = onCriticalPath(({ slowestSeconds }) => slowestSeconds);

/**
 * Budget of each phase of a rollout. Traffic stops before the data, the safety copy lies between; application and environment are put in place
 * once the data is back.
 */
export const PHASE_BUDGETS = {
  plan: PROCEDURE["notification"]!.fastestSeconds,
  fence: DATABASE_STEPS.stopTraffic,
  snapshot: DATABASE_STEPS.safetyBackup,
  data: PROCEDURE["database"]!.fastestSeconds - DATABASE_STEPS.stopTraffic - DATABASE_STEPS.safetyBackup - DATABASE_STEPS.verify / 2,
  install: PROCEDURE["application"]!.fastestSeconds + PROCEDURE["environment"]!.fastestSeconds,
  start: PROCEDURE["restart"]!.fastestSeconds / 2,
  verify: PROCEDURE["restart"]!.fastestSeconds / 2 + DATABASE_STEPS.verify / 2,
};
