/** The record of a rollout: exports, retention, governance, and the next armed copy. */
import { canonical } from "../../config/pins.ts";
import type { Declared } from "../../config/schema.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runOf } from "../session.ts";
import type { RolloutInputs } from "./inputs.ts";
import { beforeDelete } from "./leaving.ts";

interface Inputs extends RolloutInputs {
  backups: Declared["backups"];
  arm: Declared["arm"];
  /** Snapshots and quarantines a pin names. */
  pinned: string[];
  /** Releases, oldest first; null: not known. */
  order: readonly string[] | null;
}

async function run({ site, epoch, backups, arm, pinned, order }: Inputs, call: Call): Promise<Values> {
  const { record: keep } = await import("../../rollout/steps/record.ts");
  return keep(await runOf(site, epoch, call), backups, arm, pinned, order ?? null);
}

export const record: Resource<Inputs> = {
  token: "backout:index:Record",
  beforeDelete,
  diff: async (old, inputs) =>
    Promise.resolve(old.epoch !== inputs.epoch || old.arm !== inputs.arm || canonical(old.backups) !== canonical(inputs.backups)),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
