/** Messages to people, and the flag that goes with one. The sender fills in `{…}`. */
export const SYNC_FLAG = "bi_directional_sync";

export const MESSAGES = {
  /** Shown by the gate while a rollout keeps users out, and on the status page. */
  maintenance: "Emergency maintenance in progress",
  /** Banner of partial A. */
  syncDisabled: "Sync temporarily disabled. Read-only mode.",
  quickStatusPage: "Investigating - Rollback in progress",
  quickStart: "🔴 ROLLBACK IN PROGRESS: ADR-008 deployment rolled back to {to} due to {reason}. ETA: {eta}. Incident: {incident}",
  fullStart: "🔴 SYSTEM OFFLINE: Full rollback initiated",
  logWorkerStopped: "Sync worker stopped for rollback - Ticket: {incident}",
  logCompleted: "Rollback to {to} completed - Duration: {duration} - Ticket: {incident}",
} as const;
