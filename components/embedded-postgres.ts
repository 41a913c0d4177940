import * as pulumi from "./pulumi.ts";
import type { SiteInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

export type EmbeddedPostgresArgs = Args<SiteInputs>;

/** The embedded PostgreSQL server. It outlives every update and is stopped and removed by `destroy`. */
export class EmbeddedPostgres extends pulumi.CustomResource {
  declare readonly port: pulumi.Output<number>;
  declare readonly version: pulumi.Output<string>;
  declare readonly pid: pulumi.Output<number>;

  constructor(name: string, args: EmbeddedPostgresArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:EmbeddedPostgres", name, { ...args, port: undefined, version: undefined, pid: undefined }, opts);
  }
}
