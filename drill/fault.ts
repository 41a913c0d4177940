/** The fault of a drill: it is switched on, its probe sees it, and later no longer sees it. */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { editPins, type PinEdit } from "../config/edit.ts";
import { runPulumi } from "../scripts/pulumi/pulumi-run.ts";
import type { FaultDefinition } from "../config/system/drill.ts";
import type { CheckResult } from "../config/system/check.ts";
import { failed, passed } from "./checks.ts";
import { DrillStoppedError } from "./facts.ts";
import { outsideOf } from "./outside.ts";
import { withContext, type Stage } from "./stage.ts";
import { drillOf } from "../config/system/drill.ts";

/** Time for a fault to show, and to disappear after the rollback. Milliseconds. */
const FAULT_LIMIT_MS = 20_000;
const GONE_LIMIT_MS = 15_000;

/**
 * The probe must first see nothing and then the fault: otherwise it proves nothing.
 * @param provoke a failure that comes first: a failing deployment, or an insufficient rollback.
 * @returns what it saw. @throws DrillStoppedError
 */
export async function switchFaultOn(
  stage: Stage,
  name: string,
  provoke: () => Promise<void> = async () => Promise.resolve(),
): Promise<string> {
  const fault = drillOf(stage.definition).faults[name]!;
  const early = await withContext(stage, (context) => fault.probe(context));
  if (early !== null) throw new DrillStoppedError("fault-seen", `the probe of "${name}" sees the fault before it is switched on: ${early}`);
  await provoke();
  if (fault.configure !== undefined) await configure(stage, fault.configure);
  await withContext(stage, (context) => fault.switchOn(context));
  const { seen, trouble } = await probeUntil(stage, name, (now) => now !== null, FAULT_LIMIT_MS);
  if (seen !== null) return seen;
  const why = trouble === null ? "" : `; the probe failed: ${trouble}`;
  throw new DrillStoppedError("fault-seen", `the fault "${name}" was switched on and never seen within ${FAULT_LIMIT_MS / 1000} s${why}`);
}

/** Like a person who changes a setting: a line in the stack file, and an update. */
async function configure({ stack }: Stage, overrides: Record<string, Record<string, string>>): Promise<void> {
  const edits = Object.entries(overrides).flatMap(([service, config]) =>
    Object.entries(config).map(([key, value]): PinEdit => ({ path: ["services", service, "config", key], value })),
  );
  writeFileSync(stack.file, editPins(readFileSync(stack.file, "utf8"), edits));
  const { code, output } = await runPulumi({
    project: stack.folder,
    stack: stack.stack,
    arguments: ["up", "--yes", "--skip-preview", "--suppress-outputs"],
    environment: stack.environment,
  });
  if (code !== 0)
    throw new DrillStoppedError(
      "fault-seen",
      `the update with the broken configuration failed: ${output.trim().split("\n").slice(-6).join("\n")}`,
    );
}

export async function faultGone(stage: Stage, name: string): Promise<CheckResult> {
  const { seen, trouble } = await probeUntil(stage, name, (now) => now === null, GONE_LIMIT_MS);
  if (trouble !== null) return failed("fault-gone", `the probe of "${name}" failed: ${trouble}`);
  return seen === null
    ? passed("fault-gone", `the probe of "${name}" no longer sees the fault`)
    : failed("fault-gone", `the fault is still there: ${seen}`);
}

/** A deployment that failed half-way has left its fence closed: the drill lets itself in, and closes it again. */
async function inside<T>(stage: Stage, fault: FaultDefinition, work: () => Promise<T>): Promise<T> {
  if (fault.beforeDeploy === undefined) return work();
  const outside = await outsideOf(stage);
  return outside.withDoors(Object.values(outside.live), work);
}

/** Repeats the probe until it gives the wanted answer; resolves with the last answer and the last error. */
async function probeUntil(
  stage: Stage,
  name: string,
  wanted: (seen: string | null) => boolean,
  limitMs: number,
): Promise<{ seen: string | null; trouble: string | null }> {
  const until = Date.now() + limitMs;
  const fault = drillOf(stage.definition).faults[name]!;
  for (;;) {
    const looked = await inside(stage, fault, () => withContext(stage, (context) => fault.probe(context))).then(
      (seen) => ({ seen, trouble: null }),
      (error: Error) => ({ seen: null, trouble: error.message }),
    );
    if ((looked.trouble === null && wanted(looked.seen)) || Date.now() > until) return looked;
    await sleep(200);
  }
}
