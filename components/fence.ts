import * as pulumi from "./pulumi.ts";
import type { RolloutPlan } from "../config/plan.ts";
import type { FenceInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the fence is declared with. */
export type FenceArgs = Args<FenceInputs>;

/** Applies protections, stops services and confirms it, closes the data. Computes the epoch, an input of everything after it. */
export class Fence extends pulumi.CustomResource {
  /** Number of the rollout. */
  declare readonly epoch: pulumi.Output<number>;
  /** The rollout's id. */
  declare readonly rollout: pulumi.Output<string>;
  /** What the rollout does, step by step. */
  declare readonly plan: pulumi.Output<RolloutPlan>;
  /** When users and data were closed, ISO 8601. */
  declare readonly closedAt: pulumi.Output<string>;

  constructor(name: string, args: FenceArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Fence", name, { ...args, epoch: undefined, rollout: undefined, plan: undefined, closedAt: undefined }, opts);
  }
}
