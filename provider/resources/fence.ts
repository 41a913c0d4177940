/**
 * Closes what the rollout needs closed. The epoch is an input, computed by `check` from the gate's own record: an epoch from outputs goes
 * backwards when an update fails half-way, and without one a gate that was closed by a failed rollout would never open again.
 */
import { inspect, type Facts, nextRollout } from "../../rollout/inspect.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import { planRollout } from "../../config/make-plan.ts";
import { statePlace, openState } from "../../databases/open-state.ts";
import { UnreachableError } from "../../databases/shared/unreachable.ts";
import { releaseOrder } from "../../config/ledger.ts";
import { rolloutOf, type Pins } from "../../config/pins.ts";
import type { FenceInputs } from "../../config/resources.ts";
import { definitionOf, type Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { rememberId } from "../../state/identity.ts";
import { isPlanned } from "../planned.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { OutsideRolloutError } from "../rollout-run.ts";
import { runOf } from "../session.ts";
import { beforeDelete, leavingOf } from "./leaving.ts";

interface Inputs extends FenceInputs {
  /** Added by check. */
  epoch: number;
  rollout: string;
  plan: RolloutPlan;
}

async function close(inputs: Inputs, call: Call, before?: Site): Promise<Values> {
  if (!isPlanned(inputs.site, inputs.rollout)) throw new OutsideRolloutError(inputs.site, inputs.epoch, "fence");
  const { closeFence } = await import("../../rollout/steps/fence.ts");
  const run = await runOf(inputs.site, inputs.epoch, call);
  return closeFence(run, { ...inputs, ...(before === undefined || before.target === inputs.site.target ? {} : { left: before }) });
}

export const fence: Resource<Inputs> = {
  token: "backout:index:Fence",
  beforeDelete,
  check: async (inputs, old) => {
    const definition = await definitionOf(inputs.site);
    const facts = await inspect(inputs.site, definition, old === null ? undefined : rolloutOf(inputs.pins));
    // An unreachable record cannot be read: a preview then shows what the pins alone say.
    if (facts.reach.kind === "unreachable" && old !== null) {
      const rollout = rolloutOf(inputs.pins);
      const same = old.rollout === rollout;
      const plan: RolloutPlan = same
        ? old.plan
        : {
            assumed: true,
            ...planRollout({
              definition,
              from: old.pins,
              to: inputs.pins,
              unfinished: false,
              order: releaseOrder(inputs.asked.order, [old.pins.release]),
              scope: inputs.asked.scope,
              databases: assumed(definition),
              snapshots: named(inputs.pins),
            }),
          };
      return { inputs: { ...inputs, epoch: same ? old.epoch : old.epoch + 1, rollout, plan } };
    }
    const inputsNow = { ...inputs, ...nextRollout(facts, definition, inputs.pins, inputs.asked, old !== null) };
    if (old !== null && facts.last === null)
      return { inputs: inputsNow, failures: [{ property: "site", reason: elsewhere(inputs.site, definition, old) }] };
    return { inputs: inputsNow };
  },
  diff: async (old, inputs) => Promise.resolve(old.epoch !== inputs.epoch || old.rollout !== inputs.rollout),
  create: async (inputs, call) => close(inputs, call),
  update: async (old, inputs, call) => close(inputs, call, old.site),
  delete: giveBack,
};

/** On an external server the databases are opened again, with the owner and grants they had, and the state belongs to no stack, or goes. */
async function giveBack({ site, epoch, stackId }: Inputs, call: Call): Promise<void> {
  if (site.server === undefined || site.server.embedded) return;
  rememberId(site.home, stackId);
  const definition = await definitionOf(site);
  try {
    const state = await openState(site, definition);
    await state?.end();
    if (state === null) return;
    const { allAdopted, giveBackAll } = await import("../../rollout/adopt/give-back.ts");
    const run = await runOf(site, epoch, call);
    await giveBackAll(run, (await leavingOf(site)) === "drop" && (await allAdopted(run)));
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    call.log("warning", `the databases were not given back and may be closed: ${error.message}`);
  }
}

/** The state knows a rollout, but the data has no record of any: another server or another database is declared than the one with the data. */
function elsewhere(site: Site, definition: SystemDefinition, old: Inputs): string {
  const where =
    site.server === undefined
      ? "the stack's home on this machine is not the one that holds the data. Nothing was changed: run the command where the data is; to start with empty data instead, run `pulumi destroy` first"
      : "backout:server names another server or database than the one that holds the data. Nothing was changed: declare the server that holds the data; to start with empty data instead, run `pulumi destroy` first";
  return `this stack was deployed (rollout ${old.epoch}), but ${statePlace(site, definition)} has no record of it: ${where}`;
}

function assumed(definition: SystemDefinition): Facts["databases"] {
  return Object.fromEntries(
    Object.keys(definition.databases).map((name) => [
      name,
      { exists: true, lineage: { snapshot: null, quarantine: null }, applied: [], failed: [] },
    ]),
  );
}

/** Snapshots as pinned, taken at their word. */
function named(pins: Pins): { database: string; name: string; generation: number }[] {
  return Object.entries(pins.data).flatMap(([database, pin]) =>
    pin.kind === "snapshot"
      ? [{ database, name: pin.name, generation: pin.generation ?? 1 }]
      : pin.kind === "repair" && pin.snapshot !== null
        ? [{ database, name: pin.snapshot.name, generation: pin.snapshot.generation ?? 1 }]
        : [],
  );
}
