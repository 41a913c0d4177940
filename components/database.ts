import * as pulumi from "./pulumi.ts";
import type { Lineage } from "../config/plan.ts";
import type { DatabaseInputs } from "../config/resources.ts";
import type { Args } from "./args.ts";

export type ByDatabase<T> = Record<string, T>;

/** One live database: its data and its schema. Never replaced. */
export class Database extends pulumi.CustomResource {
  /** What its data descends from. */
  declare readonly lineage: pulumi.Output<Lineage>;
  /** Milliseconds from the closed fence to the reachable new database; null: no cut-over. */
  declare readonly cutOverMs: pulumi.Output<number | null>;
  /** Name of the quarantine; null: no cut-over. */
  declare readonly quarantine: pulumi.Output<string | null>;
  /** Migrations applied and reverted, by name. */
  declare readonly migrated: pulumi.Output<unknown>;

  constructor(name: string, args: Args<DatabaseInputs>, opts?: pulumi.CustomResourceOptions) {
    super(
      "backout:index:Database",
      name,
      { ...args, lineage: undefined, cutOverMs: undefined, quarantine: undefined, migrated: undefined },
      opts,
    );
  }
}
