import * as pulumi from "./pulumi.ts";
import type { FlagsInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What flags are declared with. */
export type FlagsArgs = Args<FlagsInputs>;

/** Feature flags as declared. */
export class Flags extends pulumi.CustomResource {
  /** Values before the rollout, by name. */
  declare readonly before: pulumi.Output<unknown>;

  constructor(name: string, args: FlagsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Flags", name, { ...args, before: undefined }, opts);
  }
}
