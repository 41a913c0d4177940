/** Feature flags as declared; the values before are saved first. */
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";
import type { RolloutInputs } from "./inputs.ts";

interface Inputs extends RolloutInputs {
  flags: Record<string, boolean>;
}

async function set({ site, epoch, flags: declared }: Inputs, call: Call): Promise<Values> {
  const { setFlags } = await import("../../rollout/steps/flags.ts");
  return setFlags(await runFor({ site, epoch, what: "flags" }, call, ({ flags }) => flags, declared), declared);
}

export const flags: Resource<Inputs> = {
  token: "backout:index:Flags",
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch && Object.keys(inputs.flags).length > 0),
  create: set,
  update: async (_old, inputs, call) => set(inputs, call),
};
