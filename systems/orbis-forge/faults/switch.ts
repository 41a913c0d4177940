/** Switches, for a drill, a defect of phase-3.0.0 on. */
import type { DrillContext } from "../../../config/system/drill.ts";
import { switchFault } from "../../kit/fault-switch.ts";

/** @throws FaultNotSwitchedError */
export async function switchOn(context: DrillContext, fault: string, figures: Record<string, number> = {}): Promise<void> {
  await switchFault(context, { service: "app", release: "phase-3.0.0", fault, figures });
}

/** One row of one column, a number. */
export function countOf(context: DrillContext, sql: string): number {
  const row = context.sqlite("production").prepare(sql).get() as { rows: number } | undefined;
  return row?.rows ?? 0;
}
