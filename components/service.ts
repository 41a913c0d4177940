import * as pulumi from "./pulumi.ts";
import type { ServiceInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** Puts one service's pinned artefact in place, without starting it. */
export class Service extends pulumi.CustomResource {
  /** Time of the installation, ISO 8601. */
  declare readonly installed: pulumi.Output<string>;

  constructor(name: string, args: Args<ServiceInputs>, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:Service", name, { ...args, installed: undefined }, opts);
  }
}
