/** The report of a drill. `backout drill --json` prints it and `report.json` stores it, both validated first. */
import { z } from "zod";
import { inSeconds } from "./durations.ts";

const seconds = z.number().nonnegative();
const milliseconds = z.number().nonnegative();
const count = z.int().nonnegative();

/** Also the name of the report's folder, so it must be no path. */
const runIdSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, "must be letters, digits, dots, dashes and underscores");

const phaseSchema = z.object({
  name: z.string().min(1),
  seconds,
  /** Documented time; null where the manual gives none. */
  budgetSeconds: seconds.nullable(),
  status: z.enum(["passed", "failed", "skipped"]),
  /** Start, seconds after the start of the drill. Without it a phase starts where the one before it ended. */
  atSeconds: seconds.optional(),
});

const rowsAtRiskSchema = z.record(z.string(), z.object({ inserted: count, updated: count, deleted: count }));

const rollbackSchema = z.object({
  from: z.string(),
  to: z.string(),
  /** The data pin: `current` or the snapshot. */
  data: z.string(),
  seconds,
  /** From the closed fence to the reachable new database; null: the data stayed. */
  cutOverMs: milliseconds.nullable(),
  /** From a writing client's last acknowledged write before to its first one after; null: unknown. */
  unavailableMs: milliseconds.nullable(),
  rowsAtRisk: rowsAtRiskSchema,
  /** Acknowledged rows that are in none of live database, quarantine and export. */
  rowsLost: count,
  exported: z.array(
    z.object({ path: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be a sha256 in hexadecimal"), rows: count }),
  ),
});

const checkSchema = z.object({ name: z.string().min(1), status: z.enum(["passed", "failed", "skipped"]), detail: z.string() });

const pastSchema = z.object({ runs: count, medianSeconds: seconds, lastSeconds: seconds });

const fields = z.object({
  runId: runIdSchema,
  system: z.string().min(1),
  target: z.string().min(1),
  scope: z.string().min(1),
  /** null: a drill without a fault. */
  fault: z.string().nullable(),
  verdict: z.enum(["passed", "failed"]),
  seconds,
  phases: z.array(phaseSchema),
  /** null: the drill ended before its rollback. */
  rollback: rollbackSchema.nullable(),
  checks: z.array(checkSchema),
  /** Path of the report's HTML page. */
  report: z.string(),

  /** ISO 8601. */
  startedAt: z.iso.datetime({ offset: true }),
  /** What the probe saw of the fault; null: nothing. */
  faultSeen: z.string().nullable(),
  /** Why a drill failed, if no check or phase says so. */
  problem: z.string().nullable().default(null),
  /** Earlier drills of the same system and scope, by phase. */
  previous: z.record(z.string(), pastSchema).default({}),
  /** When writes were not acknowledged, seconds after the start of the drill. */
  unavailableBetween: z.object({ fromSeconds: seconds, toSeconds: seconds }).nullable().default(null),
  /** Versions and machine, in words. No secrets, no paths. */
  environment: z.record(z.string(), z.string()).default({}),
});

/** Reasons for a failed verdict; a report that says "passed" must have none. */
export function reasonsToFail(report: z.infer<typeof fields>): { path: (string | number)[]; message: string }[] {
  const reasons: { path: (string | number)[]; message: string }[] = [];
  const because = (message: string, ...path: (string | number)[]): void => void reasons.push({ path, message });
  report.checks.forEach((check, index) => check.status === "failed" && because(`check "${check.name}" failed`, "checks", index));
  report.phases.forEach((phase, index) => phase.status === "failed" && because(`phase "${phase.name}" failed`, "phases", index));
  if (!report.checks.some((check) => check.status === "passed")) because("no check passed, so nothing was verified", "checks");
  if (report.rollback === null) because("there was no rollback", "rollback");
  else if (report.rollback.rowsLost > 0) because(`${report.rollback.rowsLost} acknowledged rows were lost`, "rollback", "rowsLost");
  if (report.fault !== null && report.faultSeen === null) because(`fault "${report.fault}" was never seen by its probe`, "faultSeen");
  if (report.problem !== null) because(report.problem, "problem");
  return reasons;
}

const drillReportSchema = fields.superRefine((report, context) => {
  const issue = (message: string, path: (string | number)[]): void => context.addIssue({ code: "custom", message, path });
  report.phases.forEach((phase, index) => {
    if (phase.status === "passed" && isOverBudget(phase))
      issue(`phase "${phase.name}" took ${phase.seconds} s of ${phase.budgetSeconds} s, so it did not pass`, ["phases", index, "status"]);
  });
  const window = report.unavailableBetween;
  if (window !== null && window.toSeconds < window.fromSeconds) issue("ends before it begins", ["unavailableBetween"]);
  const reasons = reasonsToFail(report);
  if (report.verdict === "passed") for (const { message, path } of reasons) issue(`the verdict is "passed", but ${message}`, path);
  else if (reasons.length === 0) issue('the verdict is "failed", but nothing says why: set "problem"', ["verdict"]);
});

export type DrillReport = z.infer<typeof drillReportSchema>;
/** A report as given: defaults may be omitted. */
export type DrillReportInput = z.input<typeof drillReportSchema>;
export type DrillPhase = DrillReport["phases"][number];
export type Status = DrillPhase["status"];

export function isOverBudget(phase: { seconds: number; budgetSeconds: number | null }): boolean {
  return phase.budgetSeconds !== null && phase.seconds > phase.budgetSeconds;
}

/** The report contradicts itself or has another shape; each of `problems` names a field. */
export class InvalidReportError extends Error {
  readonly problems: string[];
  constructor(runId: string, problems: string[]) {
    super(`the report of drill ${runId} is not consistent:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "InvalidReportError";
    this.problems = problems;
  }
}

/** @throws InvalidReportError */
export function parseReport(value: unknown): DrillReport {
  const parsed = drillReportSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const runId = typeof value === "object" && value !== null && "runId" in value ? String(value.runId) : "(without id)";
  throw new InvalidReportError(
    runId,
    parsed.error.issues.map((issue) => `${issue.path.join(".") || "report"}: ${issue.message}`),
  );
}

/** Durations of earlier drills for a phase; undefined if none. A phase may be named like a property of every object. */
export function earlierTimes(report: DrillReport, phase: string): DrillReport["previous"][string] | undefined {
  return Object.hasOwn(report.previous, phase) ? report.previous[phase] : undefined;
}

/** Median of earlier drills in words, or `none`. */
export function earlierMedian(report: DrillReport, phase: string, none: string): string {
  const earlier = earlierTimes(report, phase);
  return earlier === undefined ? none : inSeconds(earlier.medianSeconds);
}
