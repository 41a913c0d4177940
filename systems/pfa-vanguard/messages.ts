/** What people are told, and the flag that goes with it. `{…}` is filled in by whoever tells it. */
export const SYNC_FLAG = "bi_directional_sync";

export const MESSAGES = {
  /** Shown by the gate while a crossing keeps users out. */
  maintenance: "Emergency maintenance in progress",
  /** Banner of partial A. */
  syncDisabled: "Sync temporarily disabled. Read-only mode.",
} as const;
