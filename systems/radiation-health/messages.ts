/** Messages to people. The sender fills in `{…}`. */
export const MESSAGES = {
  /** Shown by the gate while a rollout keeps users out, and on the status page. */
  rollback: "UNDERGOING ROLLBACK",
} as const;
