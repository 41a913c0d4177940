/** Feature flags as declared; the values before are saved first. */
import type { FlagsInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";

async function set({ site, epoch, flags: declared }: FlagsInputs, call: Call): Promise<Values> {
  const { setFlags } = await import("../../rollout/steps/flags.ts");
  return setFlags(await runFor({ site, epoch, what: "flags" }, call, ({ flags }) => flags, declared), declared);
}

export const flags: Resource<FlagsInputs> = {
  token: "backout:index:Flags",
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch && Object.keys(inputs.flags).length > 0),
  create: set,
  update: async (_old, inputs, call) => set(inputs, call),
};
