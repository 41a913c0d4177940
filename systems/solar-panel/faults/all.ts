import type { FaultDefinition } from "../../../config/system/drill.ts";
import { cascade } from "./cascade.ts";
import { integrityFault } from "./integrity.ts";
import { performanceFault } from "./performance.ts";
import { totalFailure } from "./total-failure.ts";

export const FAULTS: Record<string, FaultDefinition> = {
  "total-failure": totalFailure,
  cascade,
  performance: performanceFault,
  integrity: integrityFault,
};
