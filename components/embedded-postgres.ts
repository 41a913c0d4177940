import * as pulumi from "./pulumi.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Site } from "../config/site.ts";

export interface EmbeddedPostgresArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
}

/** The embedded PostgreSQL server. It outlives every update and is stopped and removed by `destroy`. */
export class EmbeddedPostgres extends pulumi.CustomResource {
  declare readonly port: pulumi.Output<number>;
  declare readonly version: pulumi.Output<string>;
  declare readonly pid: pulumi.Output<number>;

  constructor(name: string, args: EmbeddedPostgresArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:EmbeddedPostgres", name, { ...args, port: undefined, version: undefined, pid: undefined }, opts);
  }
}
