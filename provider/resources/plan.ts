/**
 * Takes pins and ledger; every refusal, rows at risk and the estimate are here, before anything stops: in an update the check of a later
 * resource runs when its turn comes, that is, after the fence. Touches nothing.
 */
import { cannotRun, outOfReach as targetOutOfReach, prepareAll } from "../../workloads/index.ts";
import { secretsAsked } from "../../workloads/setup.ts";
import { takenPorts, toRun } from "../../workloads/taken-ports.ts";
import { drift } from "../../rollout/drift.ts";
import { failpoint } from "../../processes/failpoints.ts";
import { dropFiles } from "../../rollout/destroy.ts";
import { frozen, showFreeze } from "../../rollout/freeze.ts";
import { inspect, type Facts, nextRollout } from "../../rollout/inspect.ts";
import type { RolloutPreview } from "../../rollout/preview.ts";
import { RolloutRefusedError, UNSEEN } from "../../rollout/run.ts";
import { rolloutOf } from "../../config/pins.ts";
import type { PlanInputs } from "../../config/resources.ts";
import { rememberGiven } from "../../config/secrets.ts";
import { definitionOf, type Site, endpointOf } from "../../config/site.ts";
import { UnreachableError } from "../../databases/postgres/unreachable.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
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
  const facts = await inspect(inputs.site, definition, old === null ? undefined : rollout);
  if (facts.reach.kind === "unreachable") {
    call.log("warning", `the database cannot be reached, so data at risk is unknown and an update would be refused: ${facts.reach.reason}`);
    return { inputs: { ...inputs, rollout, reached: false, preview: null } };
  }
  const settled = old !== null && facts.last?.rollout === rollout && facts.last.state === "open";
  const moved = old !== null && old.site.target !== inputs.site.target;
  // Of a rollout that is open there is nothing to be told, unless it is to run somewhere else.
  const told = settled && (!moved || old.rollout === rollout);
  // Beside the refusals: both only look.
  const previewing = told ? null : previewed(inputs, definition, facts, old);
  previewing?.catch(() => undefined);
  // Where nothing changes but the target, what it cannot run is found before the services stop on the other.
  const refused = !settled
    ? await refusedFor(inputs, definition, facts, old?.site)
    : moved
      ? await cannotRun(inputs.site, definition, inputs.pins)
      : await takenPorts(inputs.site, definition, await toStart(inputs, definition));
  const unseen = await targetOutOfReach(inputs.site, definition);
  if (unseen !== null) call.log("warning", `nobody can say what runs, and an update would be refused: ${unseen}`);
  if (inputs.freeze != null) call.log("warning", showFreeze(inputs.freeze));
  if (refused.length > 0)
    return { inputs: { ...inputs, rollout, reached: true, preview: null }, failures: refused.map((reason) => ({ property: "", reason })) };
  if (previewing === null) return { inputs: { ...inputs, rollout, reached: true, preview: old?.preview ?? null } };
  const { preview, lines, lossy } = await previewing;
  if (lossy.length > 0)
    return { inputs: { ...inputs, rollout, reached: true, preview }, failures: lossy.map((reason) => ({ property: "", reason })) };
  for (const { severity, line } of lines) call.log(severity, line);
  return { inputs: { ...inputs, rollout, reached: true, preview } };
}

async function previewed(inputs: Inputs, definition: SystemDefinition, facts: Facts, old: Inputs | null) {
  const { newWritesRefusals, previewRollout } = await import("../../rollout/preview.ts");
  const { previewLines } = await import("../../rollout/preview-lines.ts");
  const { rehearsedSeconds } = await import("../../state/drill-reports/rehearsed.ts");
  const { plan } = nextRollout(facts, definition, inputs.pins, inputs.asked, old !== null);
  const preview = await previewRollout(inputs.site, definition, plan, {
    exact: inputs.exact,
    newWrites: inputs.newWrites,
    maintenance: inputs.pins.maintenance,
    reached: facts.reach.kind === "reached",
    rehearsed: rehearsedSeconds,
    ...(old === null ? {} : { before: old.site }),
  });
  return {
    preview,
    lines: previewLines(preview),
    lossy: newWritesRefusals(preview, inputs.newWrites, facts.last?.rollout === rolloutOf(inputs.pins)),
  };
}

/** Services that an update starts although nothing else of it has anything to do. */
async function toStart({ site, pins }: Inputs, definition: SystemDefinition): Promise<string[]> {
  if ((await targetOutOfReach(site, definition)) !== null) return [];
  const drifted = await drift({ site, definition }, pins);
  return toRun(pins).filter((service) => drifted.includes(service));
}

async function refusedFor(
  { site, pins, freeze, violations, asked }: Inputs,
  definition: SystemDefinition,
  facts: Facts,
  left: Site | undefined,
): Promise<string[]> {
  const { refusals } = await import("../../rollout/refusals.ts");
  return [...frozen(freeze ?? null, facts, pins, asked, site), ...(await refusals(site, definition, pins, facts, asked, violations, left))];
}

/** An update of what could not be looked at when it was planned fails here, before anything stops: nothing of it was refused yet. */
async function plan({ site, pins, reached }: Inputs): Promise<Values> {
  const definition = await definitionOf(site);
  loadComing(site, definition);
  if (!reached) {
    const { reach } = await inspect(site, definition);
    if (reach.kind === "unreachable") throw outOfReach(site, `${reach.reason}. Nothing was stopped`);
    throw new RolloutRefusedError(`${UNSEEN}. Nothing was stopped. Run it again: it is planned anew.`);
  }
  await failpoint("plan.before");
  await prepareAll(site, definition, pins);
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
  update: async (_old, inputs) => plan(inputs),
  /** Its services are gone by then. A server goes with what it holds. */
  delete: async ({ site }, call) => {
    if (site.server === undefined && (await leavingOf(site)) === "drop") await dropFiles(site, await definitionOf(site), call.log);
  },
};
export { planResource as plan };
