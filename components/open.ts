import * as pulumi from "./pulumi.ts";
import type { OpenInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the opening is declared with. */
export type OpenArgs = Args<OpenInputs>;

/** Lets users in again, as far as maintenance allows. */
export class Open extends pulumi.CustomResource {
  /** When users were let in, ISO 8601. */
  declare readonly openedAt: pulumi.Output<string>;

  constructor(name: string, args: OpenArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Open", name, { ...args, openedAt: undefined }, opts);
  }
}
