/** Switches, for a drill, a defect of v1.9.0 on, by an HTTP request to each service. */
import type { DrillContext } from "../../../config/system/drill.ts";
import { switchFault } from "../../kit/fault-switch.ts";

/** @throws FaultNotSwitchedError */
export async function switchOn(context: DrillContext, service: string, fault: string, figures: Record<string, number> = {}): Promise<void> {
  await switchFault(context, { service, release: "v1.9.0", fault, figures });
}
