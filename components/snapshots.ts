import * as pulumi from "./pulumi.ts";
import type { Taken } from "../rollout/steps/snapshot.ts";
import type { SnapshotsInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What snapshots are declared with. */
export type SnapshotsArgs = Args<SnapshotsInputs>;

/** Takes the snapshots the rollout needs, inside the fence. */
export class Snapshots extends pulumi.CustomResource {
  /** The snapshots that this rollout took. */
  declare readonly taken: pulumi.Output<Taken[]>;

  constructor(name: string, args: SnapshotsArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Snapshots", name, { ...args, taken: undefined }, opts);
  }
}
