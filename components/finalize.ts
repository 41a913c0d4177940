import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { StackConfig } from "../config/schema.ts";
import type { Site } from "../config/site.ts";

export interface FinalizeArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  backups: pulumi.Input<StackConfig["backups"]>;
  standby: pulumi.Input<StackConfig["standby"]>;
  /** Snapshots and quarantines a pin names. */
  pinned: pulumi.Input<string[]>;
  /** Releases, oldest first; null: not known. */
  order: pulumi.Input<readonly string[] | null>;
}

/** The record of a rollout: exports, retention, governance, and the next standby copy. */
export class Finalize extends pulumi.CustomResource {
  declare readonly exported: pulumi.Output<unknown[]>;

  constructor(name: string, args: FinalizeArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Finalize", name, { ...args, exported: undefined }, opts);
  }
}
