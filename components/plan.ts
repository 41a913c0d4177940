import * as pulumi from "./pulumi.ts";
import type { PlanInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the plan is declared with. */
export type PlanArgs = Args<PlanInputs>;

/**
 * Refuses what cannot be done and reports what would happen: rows at risk, effects that cannot be undone, standby copies, estimate. Changes
 * nothing.
 */
export class Plan extends pulumi.CustomResource {
  /** The rollout's id. */
  declare readonly rollout: pulumi.Output<string>;
  /** Whether the databases could be asked; false: rows at risk are unknown. */
  declare readonly reached: pulumi.Output<boolean>;
  /** The preview, as `backout preview --json` shows it. */
  declare readonly preview: pulumi.Output<unknown>;
  /** When it was planned, ISO 8601. */
  declare readonly plannedAt: pulumi.Output<string>;

  constructor(name: string, args: PlanArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Plan", name, { ...args, rollout: undefined, reached: undefined, preview: undefined, plannedAt: undefined }, opts);
  }
}
