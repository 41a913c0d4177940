/** Reopens after a refusal: stopped services run again, the data and the gate are open as before. The data was not changed. */
import { targetOf } from "../../workloads/index.ts";
import { setGate } from "../gate.ts";
import { fenceOf } from "../../databases/registry.ts";
import { unfinished } from "../inspect.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import { liftProtections } from "../protections.ts";
import type { Run } from "../../config/run.ts";

/** Whether what stood before was open: only then is it known to be whole, and may be opened again as it was. */
export async function mayReopen({ state, epoch }: Run): Promise<boolean> {
  return !unfinished(await state.rollout(epoch - 1));
}

/** Only where `mayReopen`. */
export async function reopenRefused(run: Run, plan: RolloutPlan): Promise<void> {
  const from = (await run.state.lastOpenRollout())?.pins ?? null;
  if (from === null || from.maintenance.mode === "off") await liftProtections(run, "fence");
  if (plan.fenceData) await admitEverybody(run);
  if (from !== null) {
    const target = targetOf(run.site, run.definition);
    for (const service of [...plan.stop].reverse()) {
      const pin = from.services[service];
      if (pin?.run === true) await target.start(service, pin);
    }
    await setGate(run, from.maintenance);
  }
  await run.state.setState(run.epoch, "refused");
}

export async function admitEverybody(run: Run): Promise<void> {
  for (const database of Object.keys(run.definition.databases)) await (await fenceOf(run, database)).admit(run, database, "everybody");
}
