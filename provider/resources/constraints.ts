/** Constraints as declared. Has something to do in every rollout, and whenever the catalogue says otherwise than the pins. */
import { definitionOf } from "../../config/site.ts";
import type { ConstraintsInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";

async function set({ site, epoch, pins, violations }: ConstraintsInputs, call: Call): Promise<Values> {
  const { setConstraints } = await import("../../rollout/steps/constraints.ts");
  return {
    done: await setConstraints(await runFor({ site, epoch, what: "constraints" }, call, (recorded) => recorded, pins), pins, violations),
  };
}

export const constraints: Resource<ConstraintsInputs> = {
  token: "backout:index:Constraints",
  diff: async (old, inputs, call) => {
    if (old.epoch !== inputs.epoch) return true;
    const { constraintDrift } = await import("../../rollout/constraint-drift.ts");
    const drifted = await constraintDrift(inputs.site, await definitionOf(inputs.site), inputs.pins);
    for (const line of drifted) call.log("warning", line);
    return drifted.length > 0;
  },
  create: set,
  update: async (_old, inputs, call) => set(inputs, call),
};
