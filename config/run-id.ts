/** One id per run, in each of its file names and rows. The verbs pass theirs on in `BACKOUT_RUN_ID`. */
import { randomUUID } from "node:crypto";

export function newRunId(prefix = "run"): string {
  return process.env["BACKOUT_RUN_ID"] ?? `${prefix}-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}-${randomUUID().slice(0, 4)}`;
}
