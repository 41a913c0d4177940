/** Messages to people. The sender fills in `{…}`. */
export const MESSAGES = {
  /** Shown by the gate while users are kept out; `MAINTENANCE_MESSAGE` of the rollback plan. */
  maintenance: "System maintenance in progress. Please try again in 30 minutes.",
  started: "🚨 ROLLBACK INITIATED: OF-BEV Phase 3 Production Issue",
} as const;
