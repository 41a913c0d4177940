/** Switches, for a drill, a defect of v4.0.0 on: by an HTTP request to a service, by a feature flag for the worker, which has no listener. */
import type { DrillContext } from "../../../config/system/drill.ts";
import { FaultNotSwitchedError, switchFault } from "../../kit/fault-switch.ts";

const RELEASE = "v4.0.0";

/** @throws FaultNotSwitchedError */
export async function switchBackend(context: DrillContext, fault: string, figures: Record<string, number> = {}): Promise<void> {
  await switchFault(context, { service: "backend", release: RELEASE, fault, figures });
}

/** @throws FaultNotSwitchedError */
export async function switchWorker(context: DrillContext, name: string): Promise<void> {
  try {
    const database = await context.database("pfa");
    await database.query(
      "INSERT INTO feature_flags (flag_name, enabled) VALUES ($1, true) ON CONFLICT (flag_name) DO UPDATE SET enabled = true",
      [`fault:${name}`],
    );
  } catch (error) {
    throw new FaultNotSwitchedError(name, RELEASE, error);
  }
}
