import type { FaultDefinition } from "../../../config/system/drill.ts";
import { switchLine, tryPanel } from "./switch.ts";

/** Scenario 4: valid data fails quality control. */
export const integrityFault: FaultDefinition = {
  title: "Barcodes of a new series and values in other units are refused although they are valid",
  scope: "high",
  switchOn: (context) => switchLine(context, "new-labels"),
  probe: tryPanel,
};
