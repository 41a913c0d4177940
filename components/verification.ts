import * as pulumi from "./pulumi.ts";
import type { PinnedInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What verification is declared with. */
export type VerificationArgs = Args<PinnedInputs>;

/** The system's own checks; while one fails the gate stays closed. */
export class Verification extends pulumi.CustomResource {
  /** Results of the checks, in order. */
  declare readonly checks: pulumi.Output<unknown[]>;

  constructor(name: string, args: VerificationArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Verification", name, { ...args, checks: undefined }, opts);
  }
}
