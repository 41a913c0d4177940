import * as pulumi from "./pulumi.ts";
import type { Asked } from "../config/plan.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import type { NewWrites, Freeze } from "../config/schema.ts";
import type { Site } from "../config/site.ts";

export interface PlanArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** The declared state, resolved. */
  pins: pulumi.Input<JsonText<Pins>>;
  /** Count rows at risk one by one instead of estimating large tables from statistics. */
  exact: pulumi.Input<boolean>;
  /** What becomes of rows written since. */
  newWrites: pulumi.Input<NewWrites>;
  /** While it is set nothing newer may be deployed. */
  freeze: pulumi.Input<Freeze | null>;
  /** What becomes of rows that violate a constraint that is to be enforced. */
  violations: pulumi.Input<"reject" | "quarantine">;
  /** Releases, oldest first, and the scope the pins are those of. */
  asked: pulumi.Input<Asked>;
}

/** Refuses what cannot be done and tells what would be: rows at risk, effects that cannot come back, standby copies, estimate. Touches nothing. */
export class Plan extends pulumi.CustomResource {
  declare readonly rollout: pulumi.Output<string>;
  declare readonly reached: pulumi.Output<boolean>;
  declare readonly preview: pulumi.Output<unknown>;
  declare readonly plannedAt: pulumi.Output<string>;

  constructor(name: string, args: PlanArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Plan", name, { ...args, rollout: undefined, reached: undefined, preview: undefined, plannedAt: undefined }, opts);
  }
}
