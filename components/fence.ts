import * as pulumi from "./pulumi.ts";
import type { Asked, RolloutPlan } from "../config/plan.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import type { NewWrites } from "../config/schema.ts";
import type { Site } from "../config/site.ts";

export interface FenceArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** The declared state, resolved. */
  pins: pulumi.Input<JsonText<Pins>>;
  /** `reject`: rows written since are counted again inside the fence, and any stops the rollout. */
  newWrites: pulumi.Input<NewWrites>;
  /** Incident and reason, for the record. */
  reason: pulumi.Input<string | null>;
  /** Releases, oldest first, and the scope the pins are those of. */
  asked: pulumi.Input<Asked>;
}

/** Protects, stops, confirms stopped and closes the data. Computes the epoch everything after it takes as input. */
export class Fence extends pulumi.CustomResource {
  declare readonly epoch: pulumi.Output<number>;
  declare readonly rollout: pulumi.Output<string>;
  declare readonly plan: pulumi.Output<RolloutPlan>;
  declare readonly closedAt: pulumi.Output<string>;

  constructor(name: string, args: FenceArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Fence", name, { ...args, epoch: undefined, rollout: undefined, plan: undefined, closedAt: undefined }, opts);
  }
}
