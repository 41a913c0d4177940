import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";

export interface ConstraintsArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  /** The declared state, resolved. */
  pins: pulumi.Input<JsonText<Pins>>;
  /** What becomes of rows that violate a constraint that is enforced again: `reject` stops there, `quarantine` moves them to a side table. */
  violations: pulumi.Input<"reject" | "quarantine">;
}

/** Constraints as declared: enforced, enforced for new rows only, or dropped with their definition kept. */
export class Constraints extends pulumi.CustomResource {
  /** What was done with each, in order. */
  declare readonly done: pulumi.Output<unknown>;

  constructor(name: string, args: ConstraintsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Constraints", name, { ...args, done: undefined }, opts);
  }
}
