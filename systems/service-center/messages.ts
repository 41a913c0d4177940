/** Messages to people. The sender fills in `{…}`. */
export const MESSAGES = {
  /** Shown by the gate while a rollout keeps users out, and on the status page. */
  maintenance: "Service maintenance in progress",
  chatStart: "ROLLBACK IN PROGRESS - Do not make changes",
  emailStart: "Phase 2 rollback initiated due to {reason}",
  chatDone: "Rollback complete. System stable on Phase 1 version.",
  emailDone: "Phase 2 rollback successful. Investigation in progress.",
  statusDone: "Service operational",
} as const;
