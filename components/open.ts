import * as pulumi from "./pulumi.ts";
import type { OpenInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

export type OpenArgs = Args<OpenInputs>;

/** Lets users in again, as far as maintenance allows. */
export class Open extends pulumi.CustomResource {
  declare readonly openedAt: pulumi.Output<string>;

  constructor(name: string, args: OpenArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Open", name, { ...args, openedAt: undefined }, opts);
  }
}
