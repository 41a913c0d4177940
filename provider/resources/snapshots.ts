/** The snapshots a rollout takes inside the fence. Nothing to take: nothing to do. */
import type { SnapshotsInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runOf } from "../session.ts";

async function take(inputs: SnapshotsInputs, call: Call): Promise<Values> {
  const { takeSnapshots } = await import("../../rollout/steps/snapshot.ts");
  return { taken: await takeSnapshots(await runOf(inputs.site, inputs.epoch, call), inputs.take) };
}

export const snapshots: Resource<SnapshotsInputs> = {
  token: "backout:index:Snapshots",
  diff: async (old, inputs) => Promise.resolve(inputs.take.length > 0 && old.epoch !== inputs.epoch),
  create: take,
  update: async (_old, inputs, call) => take(inputs, call),
};
