/** Every check, in the order in which they run: what counts comes before what writes. */
import type { CheckDefinition } from "../../../config/system/check.ts";
import { constraintsAsDeclared, dropsRecorded } from "./constraints.ts";
import { effectiveness, functionality, healthOverview, integrity, panelCounts, triggersEnabled } from "./database.ts";
import { continuity, health, login, performance_, write } from "./line.ts";

export const CHECKS: CheckDefinition[] = [
  health,
  login,
  constraintsAsDeclared,
  dropsRecorded,
  functionality,
  integrity,
  panelCounts,
  triggersEnabled,
  healthOverview,
  effectiveness,
  performance_,
  continuity,
  write,
];
