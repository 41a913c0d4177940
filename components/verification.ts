import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";

export interface VerificationArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  /** The declared state, resolved. */
  pins: pulumi.Input<JsonText<Pins>>;
}

/** The system's own checks; while one fails the gate stays closed. */
export class Verification extends pulumi.CustomResource {
  declare readonly checks: pulumi.Output<unknown[]>;

  constructor(name: string, args: VerificationArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Verification", name, { ...args, checks: undefined }, opts);
  }
}
