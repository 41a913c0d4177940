import * as pulumi from "./pulumi.ts";
import type { SiteInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

/** What the server is declared with. */
export type EmbeddedPostgresArgs = Args<SiteInputs>;

/** The embedded PostgreSQL server. It outlives every update and is stopped and removed by `destroy`. */
export class EmbeddedPostgres extends pulumi.CustomResource {
  /** Port on 127.0.0.1. */
  declare readonly port: pulumi.Output<number>;
  /** Version of PostgreSQL. */
  declare readonly version: pulumi.Output<string>;
  /** Process id of the server. */
  declare readonly pid: pulumi.Output<number>;

  constructor(name: string, args: EmbeddedPostgresArgs, opts?: pulumi.CustomResourceOptions) {
    super("backout:index:EmbeddedPostgres", name, { ...args, port: undefined, version: undefined, pid: undefined }, opts);
  }
}
