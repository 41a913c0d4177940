/** One id per run, in every file name and row of it. The verbs hand theirs down by `BACKOUT_RUN_ID`. */
import { randomUUID } from "node:crypto";

export function newRunId(prefix = "run"): string {
  return process.env["BACKOUT_RUN_ID"] ?? `${prefix}-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}-${randomUUID().slice(0, 4)}`;
}
