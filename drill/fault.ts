/** The fault of a drill: switched on, seen by its probe, and seen to be gone. */
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

/** How long a fault may take to show, and to be gone after the rollback. Milliseconds. */
const FAULT_LIMIT_MS = 20_000;
const GONE_LIMIT_MS = 15_000;

/**
 * The probe must see nothing, then the fault, in this order: else it proves nothing.
 * @param provoke what has to go wrong first: a deployment that fails, a rollback that does not suffice.
 * @returns what it saw. @throws DrillStoppedError
 */
export async function switchFaultOn(
  stage: Stage,
  name: string,
  provoke: () => Promise<void> = async () => Promise.resolve(),
): Promise<string> {
  const fault = stage.definition.drill.faults[name]!;
  const early = await withContext(stage, (context) => fault.probe(context));
  if (early !== null)
    throw new DrillStoppedError("fault-seen", `the probe of "${name}" says yes before the fault is switched on: ${early}`);
  await provoke();
  if (fault.configure !== undefined) await configure(stage, fault.configure);
  await withContext(stage, (context) => fault.switchOn(context));
  const { seen, trouble } = await probeUntil(stage, name, (now) => now !== null, FAULT_LIMIT_MS);
  if (seen !== null) return seen;
  const why = trouble === null ? "" : `; the probe failed: ${trouble}`;
  throw new DrillStoppedError("fault-seen", `the fault "${name}" was switched on and never seen within ${FAULT_LIMIT_MS / 1000} s${why}`);
}

/** As somebody does who changes a setting: a line in the stack file, and the update. */
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
      `the broken configuration could not be brought in: ${output.trim().split("\n").slice(-6).join("\n")}`,
    );
}

export async function faultGone(stage: Stage, name: string): Promise<CheckResult> {
  const { seen, trouble } = await probeUntil(stage, name, (now) => now === null, GONE_LIMIT_MS);
  if (trouble !== null) return failed("fault-gone", `the probe of "${name}" failed: ${trouble}`);
  return seen === null
    ? passed("fault-gone", `the probe of "${name}" sees nothing any more`)
    : failed("fault-gone", `the fault is still there: ${seen}`);
}

/** A deployment that failed half-way has left its fence standing: the drill lets itself in, and keeps everybody out again. */
async function inside<T>(stage: Stage, fault: FaultDefinition, work: () => Promise<T>): Promise<T> {
  if (fault.beforeDeploy === undefined) return work();
  const outside = await outsideOf(stage);
  return outside.withDoors(Object.values(outside.live), work);
}

/** Asks the probe until it says what is wanted; the last word, and the last failure to look. */
async function probeUntil(
  stage: Stage,
  name: string,
  wanted: (seen: string | null) => boolean,
  limitMs: number,
): Promise<{ seen: string | null; trouble: string | null }> {
  const until = Date.now() + limitMs;
  const fault = stage.definition.drill.faults[name]!;
  for (;;) {
    const looked = await inside(stage, fault, () => withContext(stage, (context) => fault.probe(context))).then(
      (seen) => ({ seen, trouble: null }),
      (error: Error) => ({ seen: null, trouble: error.message }),
    );
    if ((looked.trouble === null && wanted(looked.seen)) || Date.now() > until) return looked;
    await sleep(200);
  }
}
