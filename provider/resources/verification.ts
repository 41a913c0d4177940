/** The system's own checks. While one fails nothing after this resource runs, and the gate stays closed. */
import type { Call, Resource, Values } from "../resource.ts";
import { runOf } from "../session.ts";
import type { PinnedInputs } from "./inputs.ts";
import { beforeDelete } from "./leaving.ts";

async function run({ site, epoch, pins }: PinnedInputs, call: Call): Promise<Values> {
  const { verify } = await import("../../crossing/steps/verify.ts");
  return { checks: await verify(await runOf(site, epoch, call), pins) };
}

export const verification: Resource<PinnedInputs> = {
  token: "backout:index:Verification",
  beforeDelete,
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
