/** The system's own checks. While one fails nothing after this resource runs, and the gate stays closed. */
import type { PinnedInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";
import { beforeDelete } from "./leaving.ts";

async function run({ site, epoch, pins }: PinnedInputs, call: Call): Promise<Values> {
  const { verify } = await import("../../rollout/steps/verify.ts");
  return { checks: await verify(await runFor({ site, epoch, what: "verification" }, call, (recorded) => recorded, pins), pins) };
}

export const verification: Resource<PinnedInputs> = {
  token: "backout:index:Verification",
  beforeDelete,
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
