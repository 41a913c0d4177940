/** What people are told. `{…}` is filled in by whoever tells it. */
export const MESSAGES = {
  /** Shown by the gate while a crossing keeps users out, and on the status page. */
  rollback: "UNDERGOING ROLLBACK",
} as const;
