/** The record of a rollout: exports, retention, governance, copies in the store, and the next standby copy. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { canonical } from "../../config/pins.ts";
import type { FinalizeInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { OutsideRolloutError } from "../rollout-run.ts";
import { runOf } from "../session.ts";
import { beforeDelete } from "./leaving.ts";

async function run({ site, epoch, backups, standby, pinned, order }: FinalizeInputs, call: Call): Promise<Values> {
  const { finalize: keep } = await import("../../rollout/steps/finalize.ts");
  const run = await runOf(site, epoch, call);
  // Of single resources: what has not opened has no end yet.
  if ((await run.state.rollout(epoch))?.state !== "open") throw new OutsideRolloutError(site, epoch, "finalize");
  return keep(run, backups, standby, pinned, order ?? null);
}

export const finalize: Resource<FinalizeInputs> = {
  token: "backout:index:Finalize",
  beforeDelete,
  diff: async (old, inputs) =>
    Promise.resolve(
      old.epoch !== inputs.epoch ||
        old.standby !== inputs.standby ||
        old.site.store !== inputs.site.store ||
        // What the store lacks is copied by the next update of the machine that has it.
        ((old as { left?: string[] }).left ?? []).some((path) => existsSync(join(inputs.site.home, path))) ||
        canonical(old.backups) !== canonical(inputs.backups),
    ),
  create: run,
  update: async (_old, inputs, call) => run(inputs, call),
};
