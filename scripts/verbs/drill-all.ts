/** `backout drill --all`: each fault of each system once, with its own scope; a failed drill does not stop the others. */
import { resolve, join } from "node:path";
import { printed } from "../../drill/outcome.ts";
import { oneLine } from "../../drill/report/words.ts";
import { inMilliseconds, inSeconds } from "../../state/drill-reports/durations.ts";
import { wantsColor } from "../../drill/report/summary.ts";
import { requestOf, type DrillWish } from "../../drill/request.ts";
import type { OpenStack } from "../pulumi/stack.ts";
import { print } from "../pulumi/outcome.ts";
import { UsageError } from "../../config/errors.ts";
import { listed } from "./drill-list.ts";
import { drillEach } from "./drilling.ts";

/** A drill that ended without a report. */
export interface NotDrilled {
  system: string;
  fault: string;
  scope: string;
  verdict: "failed";
  error: { name: string; message: string };
}

export interface AllDrilled {
  drills: (ReturnType<typeof printed> | NotDrilled)[];
}

/** Rows of data for each drill: enough for every check. */
const ROWS = "300";
const MAX_JOBS = 8;

export async function drillAll(project: string, stacks: readonly OpenStack[], wish: DrillWish & { jobs?: string }): Promise<AllDrilled> {
  if (wish.fault !== undefined || wish.scope !== undefined || wish.keep === true)
    throw new UsageError("--all runs every fault with its own scope and keeps no stack: do not combine it with --fault, --scope or --keep");
  const jobs = Number(wish.jobs ?? "1");
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MAX_JOBS)
    throw new UsageError(`--jobs "${wish.jobs}" must be a whole number from 1 to ${MAX_JOBS}`);
  const drills = listed(stacks).drills;
  const rehearsed = new Set<string>();
  const reports = resolve(wish.reports ?? join(project, "reports"));
  const results = await drillEach(
    project,
    drills.map(({ system, fault }) => ({
      prefix: `${system} ${fault}: `,
      request: async () =>
        requestOf(
          stacks.find(({ definition }) => definition.name === system)!,
          { ...wish, fault, rows: wish.rows ?? ROWS },
          reports,
          rehearsed,
        ),
    })),
    jobs,
  );
  return {
    drills: results.map((result, index) => {
      if (!(result instanceof Error)) return printed(result.report);
      const { name, message } = result;
      return { ...drills[index]!, verdict: "failed" as const, error: { name, message } };
    }),
  };
}

export function allPassed({ drills }: AllDrilled): boolean {
  return drills.length > 0 && drills.every(({ verdict }) => verdict === "passed");
}

function tableLines({ drills }: AllDrilled, color: boolean): string[] {
  const paint = (verdict: string): string => (color ? `\u001b[${verdict === "passed" ? "32" : "31"}m${verdict}\u001b[0m` : verdict);
  const head = ["system", "fault", "scope", "time", "rollback", "no writes", "lost", "verdict"];
  const rows = drills.map((drill) => {
    const { system, fault, scope, verdict } = drill;
    const name = [system, fault ?? "none", scope];
    if ("error" in drill) return [...name, "-", "-", "-", "-", paint(verdict)];
    const { rollback, seconds } = drill;
    const figures =
      rollback === null
        ? ["-", "-", "-"]
        : [inSeconds(rollback.seconds), inMilliseconds(rollback.unavailableMs), String(rollback.rowsLost)];
    return [...name, inSeconds(seconds), ...figures, paint(verdict)];
  });
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length)));
  // The last column is not padded, so colours shift nothing.
  const line = (row: string[]): string =>
    row
      .map((cell, column) => (column < 3 ? cell.padEnd(widths[column]!) : column < row.length - 1 ? cell.padStart(widths[column]!) : cell))
      .join("  ");
  const wrong = drills.flatMap((drill) => {
    if ("error" in drill) return [`${drill.system} ${drill.fault}: ${oneLine(drill.error.message)}`];
    const { system, fault, checks, phases } = drill;
    return [
      ...checks
        .filter(({ status }) => status === "failed")
        .map(({ name, detail }) => `${system} ${fault ?? ""}: ${name}: ${oneLine(detail)}`),
      ...phases.filter(({ status }) => status === "failed").map(({ name }) => `${system} ${fault ?? ""}: phase ${name} failed`),
    ];
  });
  const passed = drills.filter(({ verdict }) => verdict === "passed").length;
  return [line(head), ...rows.map(line), ...(wrong.length === 0 ? [] : ["", ...wrong]), "", `${passed} of ${drills.length} drills passed`];
}

export function tellAll(all: AllDrilled): void {
  print(`${tableLines(all, wantsColor(process.stdout)).join("\n")}\n`);
}
