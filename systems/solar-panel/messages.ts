/** Message to the line's users while it stands: the system has no maintenance mode, its equivalent is that production has stopped. */
export const MESSAGES = { stopped: "Production stopped: the line is being brought back into order" } as const;
