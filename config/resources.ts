/**
 * What each resource is declared with. The program declares it to the engine, where every value may be an output of another resource, and
 * the provider works by it.
 */
import type { Asked, DatabasePlan, RolloutPlan } from "./plan.ts";
import type { Maintenance, Pins, ServicePin } from "./pins.ts";
import type { Freeze, NewWrites, StackConfig } from "./schema.ts";
import type { Site } from "./site.ts";

/** Inputs that are passed as one JSON text each, see json-text.ts. */
export const TEXT_INPUTS = ["site", "pins"] as const;

export interface SiteInputs {
  /** The stack's site: folder, server, ports, definition. */
  site: Site;
}

/** What every resource after the fence is declared with. */
export interface RolloutInputs extends SiteInputs {
  /** The rollout's epoch, from the fence. */
  epoch: number;
}

interface PinsInputs extends SiteInputs {
  /** The pins: the config, resolved. */
  pins: Pins;
}

export interface PinnedInputs extends RolloutInputs, PinsInputs {}

/** What plan and fence, which decide about a rollout, are declared with. */
interface AskedInputs extends PinsInputs {
  /** Releases, oldest first, and the scope that the pins belong to. */
  asked: Asked;
}

export interface PlanInputs extends AskedInputs {
  /** Count every row at risk instead of estimating large tables from statistics. */
  exact: boolean;
  /** What happens to rows written since. */
  newWrites: NewWrites;
  /** While it is set, no newer release may be deployed. */
  freeze: Freeze | null;
  /** What happens to rows that violate a constraint to enforce. */
  violations: StackConfig["violations"];
}

export interface FenceInputs extends AskedInputs {
  /** `reject`: rows written since are counted again inside the fence, and any such row stops the rollout. */
  newWrites: NewWrites;
  /** Incident and reason, for the record. */
  reason: string | null;
  /** The stack's id, from the gate: by it a machine without the stack's home destroys what is its own. */
  stackId: string;
}

export interface SnapshotsInputs extends RolloutInputs {
  /** Names, and whether each is automatic. */
  take: RolloutPlan["take"];
}

export interface DatabaseInputs extends PinnedInputs {
  /** Name in the definition. */
  database: string;
  /** The action on it. */
  plan: DatabasePlan;
  /** `reapply`: rows written since are put back into the restored data, inside the fence. */
  newWrites: NewWrites;
}

export interface ConstraintsInputs extends PinnedInputs {
  /** Rows that violate a constraint to enforce: `reject` stops, `quarantine` moves them to a side table. */
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
  /** Releases, oldest first; null: unknown. */
  order: readonly string[] | null;
}
