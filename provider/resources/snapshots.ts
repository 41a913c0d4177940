/** The snapshots a rollout takes inside the fence. Nothing to take: nothing to do. */
import type { RolloutPlan } from "../../config/plan.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runOf } from "../session.ts";
import type { RolloutInputs } from "./inputs.ts";

interface Inputs extends RolloutInputs {
  take: RolloutPlan["take"];
}

async function take(inputs: Inputs, call: Call): Promise<Values> {
  const { takeSnapshots } = await import("../../rollout/steps/snapshot.ts");
  return { taken: await takeSnapshots(await runOf(inputs.site, inputs.epoch, call), inputs.take) };
}

export const snapshots: Resource<Inputs> = {
  token: "backout:index:Snapshots",
  diff: async (old, inputs) => Promise.resolve(inputs.take.length > 0 && old.epoch !== inputs.epoch),
  create: take,
  update: async (_old, inputs, call) => take(inputs, call),
};
