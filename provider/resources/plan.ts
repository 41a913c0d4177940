/**
 * Takes pins and ledger; every refusal, rows at risk and the estimate are here, before anything stops: in an update the check of a later
 * resource runs when its turn comes, that is, after the fence. Touches nothing.
 */
import { prepareAll } from "../../workloads/index.ts";
import { secretsAsked } from "../../workloads/setup.ts";
import { assess } from "../../rollout/assess.ts";
import { failpoint } from "../../processes/failpoints.ts";
import { dropFiles } from "../../rollout/destroy.ts";
import { showFreeze } from "../../rollout/freeze.ts";
import { inspect } from "../../rollout/inspect.ts";
import type { RolloutPreview } from "../../rollout/preview.ts";
import { RolloutRefusedError, UNSEEN } from "../../rollout/run.ts";
import { rolloutOf } from "../../config/pins.ts";
import type { PlanInputs } from "../../config/resources.ts";
import { rememberGiven } from "../../config/secrets.ts";
import { definitionOf, type Site, endpointOf } from "../../config/site.ts";
import { UnreachableError } from "../../databases/shared/unreachable.ts";
import { markPlanned } from "../planned.ts";
import type { Call, CheckAnswer, Resource, Values } from "../resource.ts";
import { loadComing } from "./coming.ts";
import { beforeDelete, leavingOf } from "./leaving.ts";

interface Inputs extends PlanInputs {
  /** Added by check. */
  rollout: string;
  reached: boolean;
  preview: RolloutPreview | null;
}

async function check(inputs: Inputs, old: Inputs | null, call: Call): Promise<CheckAnswer<Inputs>> {
  const definition = await definitionOf(inputs.site);
  const rollout = rolloutOf(inputs.pins);
  markPlanned(inputs.site, rollout);
  const freeze = inputs.freeze ?? null;
  const { unreached, unseen, refused, preview } = await assess({
    ...inputs,
    definition,
    freeze,
    before: old?.site ?? null,
    planned: old?.rollout,
    say: (line, severity = "info") => call.log(severity, line),
  });
  if (unreached !== null) {
    call.log("warning", `the database cannot be reached, so data at risk is unknown and an update would be refused: ${unreached}`);
    return { inputs: { ...inputs, rollout, reached: false, preview: null } };
  }
  if (unseen !== null) call.log("warning", `it is not known what runs, and an update would be refused: ${unseen}`);
  if (freeze !== null) call.log("warning", showFreeze(freeze));
  if (preview !== null) {
    const { previewLines } = await import("../../rollout/preview-lines.ts");
    for (const { severity, line } of previewLines(preview)) call.log(severity, line);
  }
  return {
    inputs: { ...inputs, rollout, reached: true, preview: preview ?? old?.preview ?? null },
    failures: refused.map((reason) => ({ property: "", reason })),
  };
}

/** An update that was planned without reaching the databases fails here, before anything stops: its refusals are not known. */
async function plan({ site, pins, reached }: Inputs, call: Call): Promise<Values> {
  const definition = await definitionOf(site);
  loadComing(site, definition);
  if (!reached) {
    const { reach } = await inspect(site, definition);
    if (reach.kind === "unreachable") throw outOfReach(site, `${reach.reason}. Nothing was stopped`);
    throw new RolloutRefusedError(`${UNSEEN}. Nothing was stopped. Run it again to plan anew.`);
  }
  await failpoint("plan.before");
  await prepareAll(site, definition, pins, (line) => call.log("info", line));
  rememberGiven(site, secretsAsked(site, definition, pins));
  await failpoint("plan.after");
  return { plannedAt: new Date().toISOString() };
}

function outOfReach(site: Site, reason: string): Error {
  return site.server === undefined
    ? new Error(`cannot reach the data: ${reason}`)
    : new UnreachableError(endpointOf(site), "postgres", new Error(reason));
}

export const planResource: Resource<Inputs> = {
  token: "backout:index:Plan",
  beforeDelete,
  check,
  diff: async (old, inputs) => Promise.resolve(old.rollout !== inputs.rollout || !inputs.reached || old.site.target !== inputs.site.target),
  create: plan,
  update: async (_old, inputs, call) => plan(inputs, call),
  /** Its services are gone by then. A server goes with what it holds. */
  delete: async ({ site }, call) => {
    await (await import("../../rollout/standby.ts")).endStandbyMaking(site);
    if (site.server === undefined && (await leavingOf(site)) === "drop") await dropFiles(site, await definitionOf(site), call.log);
  },
};
export { planResource as plan };
