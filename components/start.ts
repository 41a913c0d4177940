import * as pulumi from "./pulumi.ts";
import type { PinnedInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the start is declared with. */
export type StartArgs = Args<PinnedInputs>;

/** Starts every service that should run, and stops every other one. */
export class Start extends pulumi.CustomResource {
  /** What runs, by service. */
  declare readonly services: pulumi.Output<unknown>;

  constructor(name: string, args: StartArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Start", name, { ...args, services: undefined }, opts);
  }
}
