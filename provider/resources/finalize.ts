/** The record of a rollout: exports, retention, governance, and the next standby copy. */
import { canonical } from "../../config/pins.ts";
import type { StackConfig } from "../../config/schema.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runOf } from "../session.ts";
import type { RolloutInputs } from "./inputs.ts";
import { beforeDelete } from "./leaving.ts";

interface Inputs extends RolloutInputs {
  backups: StackConfig["backups"];
  standby: StackConfig["standby"];
  /** Snapshots and quarantines a pin names. */
  pinned: string[];
  /** Releases, oldest first; null: not known. */
  order: readonly string[] | null;
}

async function run({ site, epoch, backups, standby, pinned, order }: Inputs, call: Call): Promise<Values> {
  const { finalize: keep } = await import("../../rollout/steps/finalize.ts");
  return keep(await runOf(site, epoch, call), backups, standby, pinned, order ?? null);
}

export const finalize: Resource<Inputs> = {
  token: "backout:index:Finalize",
  beforeDelete,
  diff: async (old, inputs) =>
    Promise.resolve(old.epoch !== inputs.epoch || old.standby !== inputs.standby || canonical(old.backups) !== canonical(inputs.backups)),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
