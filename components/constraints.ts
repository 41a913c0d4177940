import * as pulumi from "./pulumi.ts";
import type { ConstraintsInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What constraints are declared with. */
export type ConstraintsArgs = Args<ConstraintsInputs>;

/** Constraints as declared: enforced, enforced for new rows only, or dropped with their definition kept. */
export class Constraints extends pulumi.CustomResource {
  /** The changes, in order. */
  declare readonly done: pulumi.Output<unknown>;

  constructor(name: string, args: ConstraintsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Constraints", name, { ...args, done: undefined }, opts);
  }
}
