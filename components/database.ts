import * as pulumi from "./pulumi.ts";
import type { DatabasePlan, Lineage } from "../config/plan.ts";
import type { JsonText } from "../config/json-text.ts";
import type { Pins } from "../config/pins.ts";
import type { NewWrites } from "../config/schema.ts";
import type { Site } from "../config/site.ts";

export interface DatabaseArgs {
  /** Where the stack lives. */
  site: pulumi.Input<JsonText<Site>>;
  /** Number of the closing this belongs to, from the fence. */
  epoch: pulumi.Input<number>;
  /** The declared state, resolved. */
  pins: pulumi.Input<JsonText<Pins>>;
  /** Name in the definition. */
  database: pulumi.Input<string>;
  /** What is to be done with it. */
  plan: pulumi.Input<DatabasePlan>;
  /** `reapply`: rows written since are put back into what is restored, inside the fence. */
  newWrites: pulumi.Input<NewWrites>;
}

export type ByDatabase<T> = Record<string, T>;

/** One live database: which data it stands on and which schema it has. Never replaced. */
export class Database extends pulumi.CustomResource {
  declare readonly lineage: pulumi.Output<Lineage>;
  /** Milliseconds from the fence confirmed closed to the new database reachable; null where nothing was cut over. */
  declare readonly cutOverMs: pulumi.Output<number | null>;
  /** Under which name what was live has been set aside; null where nothing was cut over. */
  declare readonly quarantine: pulumi.Output<string | null>;
  declare readonly migrated: pulumi.Output<unknown>;

  constructor(name: string, args: DatabaseArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "backout:index:Database",
      name,
      { ...args, lineage: undefined, cutOverMs: undefined, quarantine: undefined, migrated: undefined },
      opts,
    );
  }
}
