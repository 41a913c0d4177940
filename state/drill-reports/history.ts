/** Earlier drills, read from their reports: usual durations of phases, for comparison and for the estimate of the next rollback. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseReport, type DrillReport } from "./schema.ts";

export interface History {
  /** Oldest first. */
  reports: DrillReport[];
  /** One line for each report that could not be read. */
  warnings: string[];
}

export interface Past {
  runs: number;
  medianSeconds: number;
  lastSeconds: number;
}

export interface Timings {
  /** Passed drills. */
  runs: number;
  /** By phase; of passed phases, also in drills that failed in another one. */
  phases: Record<string, Past>;
  /** Duration of the whole rollback; null: none passed yet. */
  rollback: Past | null;
  /** With `medianSeconds` and `lastSeconds`, like the others. */
  unavailable: Past | null;
}

const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/** Every readable report of a reports folder; none if the folder does not exist yet. */
export function readHistory(reportsFolder: string): History {
  const history: History = { reports: [], warnings: [] };
  let entries: string[];
  try {
    entries = readdirSync(reportsFolder);
  } catch (error) {
    if (code(error) !== "ENOENT")
      history.warnings.push(`${reportsFolder} cannot be read (${code(error)}): no comparison with earlier drills`);
    return history;
  }
  for (const entry of entries) {
    const file = join(reportsFolder, entry, "report.json");
    try {
      history.reports.push(parseReport(JSON.parse(readFileSync(file, "utf8"))));
    } catch (error) {
      // A killed drill has a folder without a report; a plain file is no drill.
      if (["ENOENT", "ENOTDIR"].includes(code(error))) continue;
      const reason = error instanceof Error ? error.message.split("\n").slice(0, 2).join(" ") : String(error);
      history.warnings.push(`${file} is ignored: ${reason}`);
    }
  }
  history.reports.sort((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
  return history;
}

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

function past(values: readonly number[]): Past | null {
  const medianSeconds = median(values);
  const lastSeconds = values.at(-1);
  return medianSeconds === null || lastSeconds === undefined ? null : { runs: values.length, medianSeconds, lastSeconds };
}

/** Durations of earlier drills of this system and scope. `before`: only drills started before this time, ISO 8601. */
export function timings(history: History, system: string, scope: string, before?: string): Timings {
  const limit = before === undefined ? Infinity : Date.parse(before);
  const alike = history.reports.filter(
    (report) => report.system === system && report.scope === scope && Date.parse(report.startedAt) < limit,
  );
  const passed = alike.filter((report) => report.verdict === "passed");
  const byPhase = Map.groupBy(
    alike.flatMap((report) => report.phases.filter((phase) => phase.status === "passed")),
    (phase) => phase.name,
  );
  const phases: Record<string, Past> = {};
  for (const [name, all] of byPhase) {
    const times = past(all.map((phase) => phase.seconds));
    if (times !== null) phases[name] = times;
  }
  const rollbacks = passed.flatMap((report) => (report.rollback === null ? [] : [report.rollback]));
  return {
    runs: passed.length,
    phases,
    rollback: past(rollbacks.map((rollback) => rollback.seconds)),
    unavailable: past(rollbacks.flatMap(({ unavailableMs }) => (unavailableMs === null ? [] : [unavailableMs / 1000]))),
  };
}
