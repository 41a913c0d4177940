import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { ComponentPin } from "../config/pins.ts";
import type { Site } from "../config/site.ts";

export interface ComponentArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  component: pulumi.Input<string>;
  pin: pulumi.Input<ComponentPin>;
}

/** One component's pinned artefact, in place and not started. */
export class Component extends pulumi.CustomResource {
  declare readonly installed: pulumi.Output<string>;

  constructor(name: string, args: ComponentArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Component", name, { ...args, installed: undefined }, opts);
  }
}
