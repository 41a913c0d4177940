import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Site } from "../config/site.ts";

export interface FlagsArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  flags: pulumi.Input<globalThis.Record<string, boolean>>;
}

/** Feature flags as declared. */
export class Flags extends pulumi.CustomResource {
  declare readonly before: pulumi.Output<unknown>;

  constructor(name: string, args: FlagsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Flags", name, { ...args, before: undefined }, opts);
  }
}
