/** Every check but those in `verify/`, in the order in which they run. None of them writes. */
import type { CheckDefinition } from "../../../config/system/check.ts";
import { counts, integrity, permissions, schemaCompatible } from "./data.ts";
import { authorisation, features, health, login, maintenanceOff, noPhase3, smoke, stableLoad } from "./service.ts";

export const CHECKS: CheckDefinition[] = [
  health,
  integrity,
  counts,
  schemaCompatible,
  login,
  authorisation,
  features,
  noPhase3,
  permissions,
  maintenanceOff,
  smoke,
  stableLoad,
];
