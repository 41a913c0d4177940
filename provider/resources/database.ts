/** One live database: which data it stands on and which schema it has. Never replaced: it may be the only copy. */
import type { DatabaseInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";

async function bring({ site, epoch, database, pins, plan, newWrites }: DatabaseInputs, call: Call): Promise<Values> {
  const { bringData } = await import("../../rollout/steps/data.ts");
  return {
    ...(await bringData(
      await runFor({ site, epoch, what: database }, call, (recorded) => recorded, pins),
      database,
      pins,
      plan,
      newWrites,
    )),
  };
}

export const database: Resource<DatabaseInputs> = {
  token: "backout:index:Database",
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch),
  create: bring,
  update: async (_old, inputs, call) => bring(inputs, call),
};
