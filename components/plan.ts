import * as pulumi from "./pulumi.ts";
import type { PlanInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

export type PlanArgs = Args<PlanInputs>;

/**
 * Refuses what cannot be done and reports what would happen: rows at risk, effects that cannot be undone, standby copies, estimate. Changes
 * nothing.
 */
export class Plan extends pulumi.CustomResource {
  declare readonly rollout: pulumi.Output<string>;
  declare readonly reached: pulumi.Output<boolean>;
  declare readonly preview: pulumi.Output<unknown>;
  declare readonly plannedAt: pulumi.Output<string>;

  constructor(name: string, args: PlanArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Plan", name, { ...args, rollout: undefined, reached: undefined, preview: undefined, plannedAt: undefined }, opts);
  }
}
