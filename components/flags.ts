import * as pulumi from "./pulumi.ts";
import type { FlagsInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

export type FlagsArgs = Args<FlagsInputs>;

/** Feature flags as declared. */
export class Flags extends pulumi.CustomResource {
  declare readonly before: pulumi.Output<unknown>;

  constructor(name: string, args: FlagsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Flags", name, { ...args, before: undefined }, opts);
  }
}
