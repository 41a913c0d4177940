import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Maintenance } from "../config/pins.ts";
import type { Site } from "../config/site.ts";

export interface OpenArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  maintenance: pulumi.Input<Maintenance>;
}

/** Lets users in again, as far as maintenance says. */
export class Open extends pulumi.CustomResource {
  declare readonly openedAt: pulumi.Output<string>;

  constructor(name: string, args: OpenArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Open", name, { ...args, openedAt: undefined }, opts);
  }
}
