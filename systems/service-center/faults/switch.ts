/** How a drill switches a defect of phase-2 on: as somebody who is logged in. */
import type { DrillContext } from "../../../config/system/drill.ts";
import { accessOf, FaultNotSwitchedError, switchFault } from "../../kit/fault-switch.ts";
import { login } from "../api.ts";

const RELEASE = "phase-2";

/** @throws FaultNotSwitchedError */
export async function switchApp(context: DrillContext, fault: string, figures: Record<string, number> = {}): Promise<void> {
  const token = await login(accessOf(context)).catch((error: unknown) => {
    throw new FaultNotSwitchedError(fault, RELEASE, error);
  });
  await switchFault(context, { service: "app", release: RELEASE, fault, figures, headers: { authorization: `Bearer ${token}` } });
}
