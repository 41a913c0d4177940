/** Lets users in again, as far as maintenance says. */
import { gateIsAsDeclared } from "../../rollout/gate.ts";
import type { OpenInputs } from "../../config/resources.ts";
import { definitionOf } from "../../config/site.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";
import { beforeDelete } from "./leaving.ts";

async function run({ site, epoch, maintenance }: OpenInputs, call: Call): Promise<Values> {
  const { open: openGate } = await import("../../rollout/steps/open.ts");
  return openGate(await runFor({ site, epoch, what: "maintenance" }, call, (pins) => pins.maintenance, maintenance), maintenance);
}

export const open: Resource<OpenInputs> = {
  token: "backout:index:Open",
  beforeDelete,
  diff: async (old, { epoch, site, maintenance }) =>
    old.epoch !== epoch || !(await gateIsAsDeclared(site, await definitionOf(site), maintenance)),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
