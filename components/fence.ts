import * as pulumi from "./pulumi.ts";
import type { RolloutPlan } from "../config/plan.ts";
import type { FenceInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

export type FenceArgs = Args<FenceInputs>;

/** Applies protections, stops services and confirms it, closes the data. Computes the epoch, an input of everything after it. */
export class Fence extends pulumi.CustomResource {
  declare readonly epoch: pulumi.Output<number>;
  declare readonly rollout: pulumi.Output<string>;
  declare readonly plan: pulumi.Output<RolloutPlan>;
  declare readonly closedAt: pulumi.Output<string>;

  constructor(name: string, args: FenceArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Fence", name, { ...args, epoch: undefined, rollout: undefined, plan: undefined, closedAt: undefined }, opts);
  }
}
