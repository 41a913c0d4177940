import type { FaultDefinition } from "../../../config/system/drill.ts";
import { foreignCustomers, switchCorruptionOn } from "./data-corruption.ts";

export const failedRollback: FaultDefinition = {
  title: "The data is corrupt, and the rollback fails: the application cannot start on its port",
  scope: "full",
  hinder: { portOf: "app" },
  alternative: "standby",
  switchOn: switchCorruptionOn,
  probe: foreignCustomers,
};
