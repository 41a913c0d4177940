import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";

export interface StartArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  /** The declared state, resolved. */
  pins: pulumi.Input<JsonText<Pins>>;
}

/** Makes every service run that should run, and none that should not. */
export class Start extends pulumi.CustomResource {
  declare readonly services: pulumi.Output<unknown>;

  constructor(name: string, args: StartArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Start", name, { ...args, services: undefined }, opts);
  }
}
