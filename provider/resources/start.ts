/** Makes run what should run. Has something to do whenever a rollout closed anything, and whenever what really runs is not as pinned. */
import { drift } from "../../rollout/drift.ts";
import { ordered } from "../../config/make-plan.ts";
import { definitionOf } from "../../config/site.ts";
import { stopAllAt, targetOf } from "../../workloads/index.ts";
import type { PinnedInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";
import { beforeDelete } from "./leaving.ts";

async function run({ site, epoch, pins }: PinnedInputs, call: Call): Promise<Values> {
  const { startServices } = await import("../../rollout/steps/start.ts");
  return { services: await startServices(await runFor({ site, epoch, what: "start" }, call, (recorded) => recorded, pins), pins) };
}

export const start: Resource<PinnedInputs> = {
  token: "backout:index:Start",
  beforeDelete,
  diff: async (old, inputs) =>
    old.epoch !== inputs.epoch || (await drift({ site: inputs.site, definition: await definitionOf(inputs.site) }, inputs.pins)).length > 0,
  create: run,
  update: async (old, inputs, call) => {
    const moved = old.site.target !== inputs.site.target;
    for (const { service, reason } of moved ? await stopAllAt(old.site, await definitionOf(inputs.site)) : [])
      call.log("warning", `${service} may still run on ${old.site.target}, which could not stop it: ${reason}`);
    return run(inputs, call);
  },
  delete: async (values) => {
    const { site } = values;
    const definition = await definitionOf(site);
    const target = targetOf(site, definition);
    for (const name of ordered(definition)) await target.stop(name);
  },
};
