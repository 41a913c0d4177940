import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Site } from "../config/site.ts";

export interface TrafficGateArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
}

/** The traffic gate in front of the system: one listener per public service. */
export class TrafficGate extends pulumi.CustomResource {
  declare readonly pid: pulumi.Output<number>;
  /** By which the stack is known, whatever it or its folder is called. */
  declare readonly stackId: pulumi.Output<string>;

  constructor(name: string, args: TrafficGateArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:TrafficGate", name, { ...args, pid: undefined, stackId: undefined }, opts);
  }
}
