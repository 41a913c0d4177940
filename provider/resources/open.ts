/** Lets users in again, as far as maintenance says. */
import { gateIsAsDeclared } from "../../rollout/gate.ts";
import type { Maintenance } from "../../config/pins.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";
import type { RolloutInputs } from "./inputs.ts";
import { beforeDelete } from "./leaving.ts";

interface Inputs extends RolloutInputs {
  maintenance: Maintenance;
}

async function run({ site, epoch, maintenance }: Inputs, call: Call): Promise<Values> {
  const { open: openGate } = await import("../../rollout/steps/open.ts");
  return openGate(await runFor({ site, epoch, what: "maintenance" }, call, (pins) => pins.maintenance, maintenance), maintenance);
}

export const open: Resource<Inputs> = {
  token: "backout:index:Open",
  beforeDelete,
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch || !gateIsAsDeclared(inputs.site, inputs.maintenance)),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
