/** One drill from its record to its end: it always ends with its findings, and leaves nothing. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { CheckResult } from "../config/system/check.ts";
import type { Engine } from "../scripts/pulumi/environment.ts";
import { runPulumi } from "../scripts/pulumi/pulumi-run.ts";
import { failed, passed } from "./checks.ts";
import { Clock } from "./clock.ts";
import { DrillStoppedError, type DrillFacts } from "./facts.ts";
import { keepExports, keepJudgement } from "./outcome.ts";
import { runScenario } from "./scenario.ts";
import { beginRecord, updateRecord } from "./record.ts";
import { remains, removeDrill } from "./remove.ts";
import type { DrillRequest } from "./request.ts";
import { dataPin, type Stage } from "./stage.ts";

export function newDrillId(): string {
  return `drill-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}-${randomBytes(2).toString("hex")}`;
}

/** @param folderKnown called with the folder as soon as it exists, so that an interruption can remove it. */
export async function runDrill(
  request: DrillRequest,
  engine: Engine,
  say: (line: string) => void,
  folderKnown: (folder: string) => void,
  stopping: AbortSignal,
): Promise<DrillFacts> {
  const runId = newDrillId();
  const name = `drill-${runId.slice(-4)}`;
  const folder = beginRecord(request.source.project, { runId, system: request.source.definition.name, stack: name });
  folderKnown(folder);
  const checks: CheckResult[] = [];
  const clock = new Clock(
    (phase) => {
      stopping.throwIfAborted();
      updateRecord(folder, { phase });
      say(`  ${phase} …`);
    },
    ({ name: phase, seconds, status }) =>
      say(`  ${phase.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s${status === "passed" ? "" : `  ${status}`}`),
    checks,
  );
  const facts: DrillFacts = {
    runId,
    request,
    clock,
    checks,
    stage: null,
    faultSeen: null,
    rollback: null,
    finding: null,
    data: "current",
    kept: false,
  };
  say(`drill ${runId}: ${request.source.definition.name}, fault ${request.fault}, scope ${request.scope}, ${request.rows} rows`);
  try {
    await runScenario(facts, folder, name, engine);
  } catch (error) {
    stopping.throwIfAborted();
    const check = error instanceof DrillStoppedError ? error.check : "drill";
    const message = error instanceof Error ? error.message : String(error);
    say(`  ${message}`);
    facts.checks.push(failed(check, message));
  }
  if (facts.stage !== null) facts.data = dataPin(facts.stage);
  const evidence = join(request.reports, runId);
  if (facts.rollback !== null) facts.rollback = { ...facts.rollback, exported: keepExports(evidence, facts.rollback.exported) };
  if (facts.finding !== null) keepJudgement(evidence, facts.finding.judgement);
  await leave(facts, folder, say);
  return facts;
}

/** Destroys everything like a person would, checks that nothing is left, and removes the rest by force. */
async function leave(facts: DrillFacts, folder: string, say: (line: string) => void): Promise<void> {
  const { checks, clock, request, stage } = facts;
  if (request.keep) {
    updateRecord(folder, { kept: true, phase: "kept" });
    facts.kept = true;
    say(`kept in ${folder}`);
    return;
  }
  await clock
    .phase("destroy", async () => {
      const destroyed = stage === null ? null : await destroy(stage);
      const left = remainsWithoutOwn(folder);
      await removeDrill(folder);
      const still = remains(folder);
      if (destroyed !== null) checks.push(failed("nothing-left", `\`pulumi destroy\` failed: ${destroyed}`));
      else if (left.length + still.length > 0)
        checks.push(failed("nothing-left", `after \`pulumi destroy\` there were ${[...left, ...still].join(", ")}`));
      else checks.push(passed("nothing-left", "no process, no server, no folder"));
    })
    .catch((error: Error) => void checks.push(failed("nothing-left", error.message)));
}

/** Null: all went well. */
async function destroy({ stack }: Stage): Promise<string | null> {
  const { code, output } = await runPulumi({
    project: stack.folder,
    stack: stack.stack,
    arguments: ["destroy", "--yes", "--skip-preview"],
    environment: stack.environment,
  });
  return code === 0 ? null : output.split("\n").slice(-8).join("\n");
}

/** The stand-ins belong to the drill, not to the stack. */
function remainsWithoutOwn(folder: string): string[] {
  return remains(folder).filter((what) => !what.startsWith("stand-in-"));
}
