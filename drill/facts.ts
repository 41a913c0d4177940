/** The findings of a drill. */
import type { RolloutOutcome } from "../scripts/pulumi/roll-out.ts";
import type { CheckResult } from "../config/system/check.ts";
import type { Clock } from "./clock.ts";
import type { Finding } from "./judge-drill.ts";
import type { DrillRequest } from "./request.ts";
import type { Stage } from "./stage.ts";

/** The drill cannot continue; `check` names the failed check. */
export class DrillStoppedError extends Error {
  readonly check: string;
  constructor(check: string, message: string) {
    super(message);
    this.name = "DrillStoppedError";
    this.check = check;
  }
}

/** All findings of a drill, for its report. */
export interface DrillFacts {
  runId: string;
  request: DrillRequest;
  clock: Clock;
  checks: CheckResult[];
  stage: Stage | null;
  faultSeen: string | null;
  rollback: RolloutOutcome | null;
  finding: Finding | null;
  /** The data pin after the rollback. */
  data: string;
  kept: boolean;
}
