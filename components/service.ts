import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { ServicePin } from "../config/pins.ts";
import type { Site } from "../config/site.ts";

export interface ServiceArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  service: pulumi.Input<string>;
  pin: pulumi.Input<ServicePin>;
}

/** One service's pinned artefact, in place and not started. */
export class Service extends pulumi.CustomResource {
  declare readonly installed: pulumi.Output<string>;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Service", name, { ...args, installed: undefined }, opts);
  }
}
