/** Every check but those in `verify/`, in the order in which they run: what counts comes before what writes. */
import type { CheckDefinition } from "../../../config/system/check.ts";
import { constraintsAsDeclared, dropsRecorded } from "./constraints.ts";
import { effectiveness, functionality, integrity, panelCounts } from "./database.ts";
import { continuity, health, login, performance_, write } from "./line.ts";

export const CHECKS: CheckDefinition[] = [
  health,
  login,
  constraintsAsDeclared,
  dropsRecorded,
  functionality,
  integrity,
  panelCounts,
  effectiveness,
  performance_,
  continuity,
  write,
];
