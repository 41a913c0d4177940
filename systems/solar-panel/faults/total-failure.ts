import type { FaultDefinition } from "../../../config/system/drill.ts";
import { switchLine, tryPanel } from "./switch.ts";

/** Scenario 1. */
export const totalFailure: FaultDefinition = {
  title: "Every write of the line violates the progression rules, and the line stops",
  scope: "critical",
  switchOn: (context) => switchLine(context, "skipped-steps"),
  probe: tryPanel,
};
