import * as pulumi from "./pulumi.ts";
import type { SiteInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the gate is declared with. */
export type TrafficGateArgs = Args<SiteInputs>;

/** The traffic gate in front of the system: one listener per public service. */
export class TrafficGate extends pulumi.CustomResource {
  /** Process id of the gate. */
  declare readonly pid: pulumi.Output<number>;
  /** The stack's id, independent of its name and folder. */
  declare readonly stackId: pulumi.Output<string>;

  constructor(name: string, args: TrafficGateArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:TrafficGate", name, { ...args, pid: undefined, stackId: undefined }, opts);
  }
}
