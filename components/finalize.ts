import * as pulumi from "./pulumi.ts";
import type { FinalizeInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the end of a rollout is declared with. */
export type FinalizeArgs = Args<FinalizeInputs>;

/** Finalizes a rollout: exports, retention, audit log, and the next standby copy. */
export class Finalize extends pulumi.CustomResource {
  /** The exports of rows written since, by database. */
  declare readonly exported: pulumi.Output<unknown[]>;
  /** Paths below the home, of what the store has not yet; the next update of the machine that has it copies it. */
  declare readonly left: pulumi.Output<string[]>;

  constructor(name: string, args: FinalizeArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Finalize", name, { ...args, exported: undefined, left: undefined }, opts);
  }
}
