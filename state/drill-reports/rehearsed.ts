/** Durations of earlier drills, as an estimate for the next rollback of the same system and scope. */
import { join } from "node:path";
import { readHistory } from "./history.ts";

const NEWEST = 5;

/**
 * How long writes were impossible in the newest passed drills, newest first, seconds.
 * @param project folder of the Pulumi project, with the drills' `reports/`.
 */
export function rehearsedSeconds(project: string, system: string, scope: string | null): number[] {
  return readHistory(join(project, "reports"))
    .reports.filter((report) => report.system === system && report.scope === scope && report.verdict === "passed")
    .flatMap(({ rollback }) => (rollback?.unavailableMs == null ? [] : [rollback.unavailableMs / 1000]))
    .reverse()
    .slice(0, NEWEST);
}
