import * as pulumi from "./pulumi.ts";
import type { RolloutPlan } from "../config/plan.ts";
import type { Taken } from "../rollout/steps/snapshot.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Site } from "../config/site.ts";

export interface SnapshotsArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  /** Names, and whether each is automatic. */
  take: pulumi.Input<RolloutPlan["take"]>;
}

/** Takes the snapshots the rollout needs, inside the fence. */
export class Snapshots extends pulumi.CustomResource {
  declare readonly taken: pulumi.Output<Taken[]>;

  constructor(name: string, args: SnapshotsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Snapshots", name, { ...args, taken: undefined }, opts);
  }
}
