/**
 * What each resource is declared with. The program declares it to the engine, where every value may be an output of another resource, and the
 * provider works by it.
 */
import type { Asked, DatabasePlan, RolloutPlan } from "./plan.ts";
import type { Maintenance, Pins, ServicePin } from "./pins.ts";
import type { Freeze, NewWrites, StackConfig } from "./schema.ts";
import type { Site } from "./site.ts";

/** Inputs that travel as one JSON text each, see json-text.ts. */
export const TEXT_INPUTS = ["site", "pins"] as const;

export interface SiteInputs {
  /** Where the stack lives. */
  site: Site;
}

/** What every resource after the fence is declared with. */
export interface RolloutInputs extends SiteInputs {
  /** Number of the closing this belongs to, from the fence. */
  epoch: number;
}

interface PinsInputs extends SiteInputs {
  /** The declared state, resolved. */
  pins: Pins;
}

export interface PinnedInputs extends RolloutInputs, PinsInputs {}

/** What plan and fence, which decide about a rollout, are declared with. */
interface AskedInputs extends PinsInputs {
  /** Releases, oldest first, and the scope the pins are those of. */
  asked: Asked;
}

export interface PlanInputs extends AskedInputs {
  /** Count rows at risk one by one instead of estimating large tables from statistics. */
  exact: boolean;
  /** What becomes of rows written since. */
  newWrites: NewWrites;
  /** While it is set nothing newer may be deployed. */
  freeze: Freeze | null;
  /** What becomes of rows that violate a constraint that is to be enforced. */
  violations: StackConfig["violations"];
}

export interface FenceInputs extends AskedInputs {
  /** `reject`: rows written since are counted again inside the fence, and any stops the rollout. */
  newWrites: NewWrites;
  /** Incident and reason, for the record. */
  reason: string | null;
}

export interface SnapshotsInputs extends RolloutInputs {
  /** Names, and whether each is automatic. */
  take: RolloutPlan["take"];
}

export interface DatabaseInputs extends PinnedInputs {
  /** Name in the definition. */
  database: string;
  /** What is to be done with it. */
  plan: DatabasePlan;
  /** `reapply`: rows written since are put back into what is restored, inside the fence. */
  newWrites: NewWrites;
}

export interface ConstraintsInputs extends PinnedInputs {
  /** What becomes of rows that violate a constraint that is enforced again: `reject` stops there, `quarantine` moves them to a side table. */
  violations: StackConfig["violations"];
}

export interface FlagsInputs extends RolloutInputs {
  /** Every declared flag, on or off. */
  flags: Record<string, boolean>;
}

export interface ServiceInputs extends RolloutInputs {
  /** Name in the definition. */
  service: string;
  /** Its release, artefact and configuration. */
  pin: ServicePin;
}

export interface OpenInputs extends RolloutInputs {
  /** Whom the gate lets in. */
  maintenance: Maintenance;
}

export interface FinalizeInputs extends RolloutInputs {
  /** How many snapshots and quarantines are kept, and for how long. */
  backups: StackConfig["backups"];
  /** When the next standby copy is made. */
  standby: StackConfig["standby"];
  /** Snapshots and quarantines a pin names. */
  pinned: string[];
  /** Releases, oldest first; null: not known. */
  order: readonly string[] | null;
}
