/** From the findings of a drill to its report, and to the output of `backout drill --json`. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname, platform, release as kernel, userInfo } from "node:os";
import { basename, join } from "node:path";
import type { Engine } from "../scripts/pulumi/environment.ts";
import type { RolloutOutcome } from "../scripts/pulumi/roll-out.ts";
import type { Counts } from "./differences.ts";
import { readHistory, timings } from "../state/drill-reports/history.ts";
import type { DrillPhase, DrillReport, DrillReportInput } from "../state/drill-reports/schema.ts";
import { writeReport } from "./report/write.ts";
import type { Judgement } from "./witness/judge.ts";
import type { DrillFacts } from "./facts.ts";

/** The evidence outlives the stack: exports are copied beside the report before everything is destroyed. */
export function keepExports(folder: string, exported: RolloutOutcome["exported"]): RolloutOutcome["exported"] {
  return exported.map(({ path, sha256, rows }) => {
    const kept = join(folder, "exports", basename(path));
    if (existsSync(path)) {
      mkdirSync(join(folder, "exports"), { recursive: true, mode: 0o700 });
      copyFileSync(path, kept);
    }
    return { path: kept, sha256, rows };
  });
}

/** The witness's full findings, beside the report. */
export function keepJudgement(folder: string, judgement: Judgement): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "witness.json"), `${JSON.stringify(judgement, null, 2)}\n`);
}

export function reportOf(facts: DrillFacts, engine: Engine): DrillReport {
  const { request, clock } = facts;
  const startedAt = new Date(clock.startedAt).toISOString();
  const { definition } = request.source;
  const previous = timings(readHistory(request.reports), definition.name, request.scope, startedAt);
  const wrong = [...facts.checks, ...clock.phases].some(({ status }) => status === "failed");
  const lost = facts.finding?.judgement.lost.length ?? 0;
  const input: Omit<DrillReportInput, "report"> = {
    runId: facts.runId,
    system: definition.name,
    target: "process",
    scope: request.scope,
    fault: request.fault,
    verdict: wrong || lost > 0 || facts.finding === null || facts.faultSeen === null ? "failed" : "passed",
    seconds: clock.seconds,
    phases: clock.phases.map((phase) => withParts(phase, clock.phases)),
    rollback: rollbackOf(facts),
    checks: facts.checks,
    startedAt,
    faultSeen: facts.faultSeen,
    problem: facts.finding === null && !wrong ? "the drill ended before its verdict" : null,
    previous: previous.phases,
    unavailableBetween: windowOf(facts),
    environment: {
      "rows before": String(request.rows),
      Node: process.versions.node,
      Pulumi: engine.version,
      by: `${userInfo().username} on ${hostname()}`,
      machine: `${platform()} ${kernel()}, ${availableParallelism()} processors`,
    },
  };
  return writeReport(request.reports, input).report;
}

/** A phase with parts of its own, `rollback: verify`, has not passed where one of them failed. */
function withParts(phase: DrillPhase, all: readonly DrillPhase[]): DrillPhase {
  const failedPart = all.some(({ name, status }) => name.startsWith(`${phase.name}: `) && status === "failed");
  return failedPart ? { ...phase, status: "failed" } : phase;
}

function rollbackOf({ rollback, finding, data }: DrillFacts): DrillReportInput["rollback"] {
  if (rollback === null) return null;
  const { unavailable } = finding?.judgement ?? {};
  return {
    from: rollback.from ?? "",
    to: rollback.to,
    data,
    seconds: rollback.seconds,
    cutOverMs: rollback.cutOverMs,
    unavailableMs: unavailable?.firstAckAfter == null ? null : unavailable.writesMs,
    rowsAtRisk: touched(finding?.rowsAtRisk ?? {}),
    rowsLost: finding?.judgement.lost.length ?? 0,
    exported: rollback.exported,
  };
}

function touched(rows: Record<string, Counts>): Record<string, Counts> {
  return Object.fromEntries(Object.entries(rows).filter(([, { inserted, updated, deleted }]) => inserted + updated + deleted > 0));
}

function windowOf({ finding, clock }: DrillFacts): DrillReportInput["unavailableBetween"] {
  const { lastAckBefore, firstAckAfter } = finding?.judgement.unavailable ?? {};
  if (lastAckBefore == null || firstAckAfter == null) return null;
  return { fromSeconds: clock.at(Date.parse(lastAckBefore)), toSeconds: clock.at(Date.parse(firstAckAfter)) };
}

/** Exactly the documented output of `--json`; the report file holds more. */
export function printed({ runId, system, target, scope, fault, verdict, seconds, phases, rollback, checks, report }: DrillReport) {
  return {
    runId,
    system,
    target,
    scope,
    fault,
    verdict,
    seconds,
    phases: phases.map(({ name, seconds: took, budgetSeconds, status }) => ({ name, seconds: took, budgetSeconds, status })),
    rollback,
    checks,
    report,
  };
}
