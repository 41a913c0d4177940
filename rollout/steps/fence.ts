/** Protect, stop, confirm stopped, and close the data: from here on no one but backout reaches the live databases. */
import type { Rollout } from "../../config/record.ts";
import { rolloutOf, type Maintenance, type Pins } from "../../config/pins.ts";
import type { NewWrites } from "../../config/schema.ts";
import type { Site } from "../../config/site.ts";
import { targetOf } from "../../workloads/index.ts";
import { captureBaseline, countInside } from "../verification/baseline.ts";
import { configurationChanges, currentConfigurationFile, keepConfiguration } from "../../state/configuration.ts";
import { makeStandbysBefore } from "../standby.ts";
import { captureEvidence } from "../evidence.ts";
import { waitDrained } from "../../traffic/drain.ts";
import { TrafficSwitchError } from "../../traffic/switch.ts";
import { beginGate, closeGate, gateRuns, setGate } from "../gate.ts";
import { newWritesRefusal, countSince } from "../at-risk.ts";
import { satisfies } from "../../databases/shared/lineage.ts";
import { fenceOf, inspectionOf } from "../../databases/registry.ts";
import { endLeftTools } from "../../databases/shared/migrations/tool.ts";
import { unfinished } from "../inspect.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import { liftProtections, putProtections } from "../protections.ts";
import { RolloutRefusedError, step, StepOutcomeError, UNSEEN } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { mayReopen, reopenRefused } from "./reopen.ts";

const phase = "fence";

export interface FenceRequest {
  pins: Pins;
  plan: RolloutPlan;
  reason: string | null;
  newWrites: NewWrites;
  /** Where the services run on another target, which the stack no longer names: they are stopped there, too. */
  left?: Site;
}

export async function closeFence(run: Run, request: FenceRequest): Promise<{ closedAt: string }> {
  const { pins, plan } = request;
  const { state, epoch } = run;
  const before = await state.lastRollout();
  refuseOtherThanPlanned(request, before, epoch);
  if (before?.epoch === epoch && before.state === "open") {
    // What was adopted has had no gate yet: it begins closed, and the checks need a pass.
    beginGate(run, pins.maintenance);
    return { closedAt: before.startedAt };
  }
  // An earlier attempt has begun this very rollout: what it leads to did not stand before.
  const standing = before?.epoch === epoch ? await state.lastOpenRollout() : before;
  await makeStandbysBefore(run, plan.databases);
  await state.beginRollout({ epoch, rollout: rolloutOf(pins), pins, plan, runId: run.runId, reason: request.reason });
  await endLeftTools(run);
  await keepCurrentConfiguration(run, pins);
  const protect = async (): Promise<void> => {
    await keepProperties(run, await isOpen(run, before));
    if (plan.fenceData)
      for (const database of existing(run, plan)) await (await inspectionOf(run, database)).refuseUnfenceable(run, [database]);
    // Of a system that is partly down no baseline is taken.
    if ((await state.rollout(epoch))?.baseline === null) await state.setBaseline(epoch, await captureBaseline(run, standing?.pins ?? null));
    await protectGate(run, plan, pins.maintenance);
  };
  await step(run, { phase, kind: "protect", name: "protect" }, protect, () => null);
  // While everything still runs: afterwards no service answers.
  await captureEvidence(run, "protect");
  await putProtections(run, "fence", plan);
  await drain(run, plan);
  await step(
    run,
    { phase, kind: "stop", name: "stop and confirm stopped" },
    async () => stopAll(run, plan, request.left),
    (stopped) => ({ stopped }),
  );
  await step(
    run,
    { phase, kind: "close-data", name: "close the data" },
    async () => closeData(run, plan),
    (sessions) => sessions,
  );
  if (plan.fenceData) await liftProtections(run, "fence");
  await captureEvidence(run, "fenced");
  // Nothing writes any more: what is counted now is what must be there afterwards.
  const counted = Object.keys((await state.rollout(epoch))?.baseline?.counts ?? {}).length > 0;
  if (!counted && existing(run, plan).some((database) => ["none", "repair"].includes(plan.databases[database]?.action.kind ?? "")))
    await step(
      run,
      { phase, kind: "count", name: "count" },
      () => countInside(run, plan.fenceData),
      (counts) => counts,
    );
  await recount(run, request);
  await state.setState(epoch, "closed");
  return { closedAt: new Date().toISOString() };
}

/** Refuses a plan that is out of date: what changed since was not inspected. */
function refuseOtherThanPlanned({ pins, plan }: FenceRequest, before: Rollout | null, epoch: number): void {
  const last = before?.epoch ?? 0;
  const next = epoch === last + 1 || (epoch === last && before?.rollout === rolloutOf(pins));
  if (next && plan.assumed !== true) return;
  const why = next ? UNSEEN : `rollout ${last} was begun since this was planned`;
  throw new RolloutRefusedError(`${why}. Nothing was changed. Run it again to plan anew.`);
}

/** Keeps the configuration that was in force: what was declared and not released is recorded nowhere else. */
async function keepCurrentConfiguration(run: Run, pins: Pins): Promise<void> {
  const from = (await run.state.lastOpenRollout())?.pins;
  if (from === undefined || !configurationChanges(from, pins)) return;
  await step(
    run,
    { phase, kind: "keep-configuration", name: "keep the configuration of before" },
    async () => Promise.resolve(keepConfiguration(currentConfigurationFile(run.site, run.runId), from)),
    (kept) => kept,
  );
}

function existing(run: Run, plan: RolloutPlan): string[] {
  return Object.keys(run.definition.databases).filter((database) => plan.databases[database]?.action.kind !== "create");
}

/** Whether nothing is closed: also where an earlier attempt at this very rollout ended before it closed the data. */
async function isOpen({ state, epoch }: Run, before: Rollout | null): Promise<boolean> {
  if (before?.epoch !== epoch) return !unfinished(before);
  const closed = (await state.journal(epoch)).some(({ kind }) => kind === "close-data");
  return !closed && !unfinished(await state.rollout(epoch - 1));
}

/** What a copy does not carry, as it is while nothing is closed; while something is, the record of before stays. */
async function keepProperties(run: Run, everythingOpen: boolean): Promise<void> {
  for (const database of Object.keys(run.definition.databases))
    await (await fenceOf(run, database)).keepProperties(run, database, everythingOpen);
}

async function protectGate(run: Run, plan: RolloutPlan, maintenance: Maintenance): Promise<void> {
  try {
    if (plan.closeGate) await closeGate(run, maintenance);
    else if (plan.maintenanceChanged && maintenance.mode !== "off") await setGate(run, maintenance);
  } catch (error) {
    if (error instanceof TrafficSwitchError) await refuseUnclosed(run, error);
    throw error;
  }
}

/** Nothing has stopped yet. A balancer that failed half-way is opened again where everything was open before. */
async function refuseUnclosed(run: Run, { message, command }: TrafficSwitchError): Promise<void> {
  const from = (await run.state.lastOpenRollout())?.pins;
  if (from === undefined || !(await mayReopen(run))) return;
  const unknown = await setGate(run, from.maintenance).then(
    () => "",
    (error: Error) => ` Whether users are let in is not known: ${error.message}.`,
  );
  await run.state.setState(run.epoch, "refused");
  throw new RolloutRefusedError(
    `${message}. Nothing was stopped and nothing was changed.${unknown} Run \`${command}\` yourself to see why; when it works, run the same command again.`,
  );
}

/** How long requests under way may take to finish before their services stop, unless the definition says otherwise. Seconds. */
const DRAIN_SECONDS = 5;

/** Lets the requests finish that came in before the gate closed. What takes longer than the limit ends with its service, which is reported. */
async function drain(run: Run, plan: RolloutPlan): Promise<void> {
  const service = Object.values(run.definition.listeners)[0]?.service;
  if (service === undefined || !plan.closeGate || plan.stop.length === 0 || !gateRuns(run.site)) return;
  const limitSeconds = run.definition.drainSeconds ?? DRAIN_SECONDS;
  await step(
    run,
    { phase, kind: "drain", name: "drain" },
    async () => {
      const url = `http://127.0.0.1:${run.site.ports[service]}`;
      // A gate that does not answer lets no request through.
      const report = await waitDrained(url, { epoch: run.epoch, timeoutMs: limitSeconds * 1000 }).catch((error: Error) => error);
      if (report instanceof Error) run.log("warning", `requests under way are not waited for: ${report.message}`);
      else if (!report.drained)
        run.log("warning", `${report.inFlight} requests are still under way after ${limitSeconds} s: they end with their services`);
      return report instanceof Error ? { failure: report.message } : report;
    },
    (report) => report,
  );
}

async function stopAll(run: Run, plan: RolloutPlan, left?: Site): Promise<string[]> {
  const targets = [run.site, ...(left === undefined ? [] : [left])].map((site) => targetOf(site, run.definition));
  const stopped: string[] = [];
  for (const service of plan.stop)
    for (const target of targets) {
      const how = await target.stop(service);
      await target.confirmStopped([service]);
      stopped.push(`${service}: ${how}`);
      run.log("info", `stopped ${service} (${how})`);
    }
  return stopped;
}

async function closeData(run: Run, plan: RolloutPlan): Promise<Record<string, unknown>> {
  if (!plan.fenceData) return {};
  const closed: Record<string, unknown> = {};
  for (const database of existing(run, plan)) {
    const outcome = await (await fenceOf(run, database)).close(run, database);
    closed[database] = outcome;
    const { rolledBack = [] } = outcome as { rolledBack?: readonly string[] };
    for (const who of rolledBack) run.log("warning", `${database}: ended in the middle of a transaction, which is rolled back: ${who}`);
  }
  return closed;
}

/** `newWrites: reject` counted again where nothing can change any more. */
async function recount(run: Run, { newWrites, plan, pins }: FenceRequest): Promise<void> {
  if (newWrites !== "reject") return;
  for (const [database, { action }] of Object.entries(plan.databases)) {
    if (action.kind !== "restore" && action.kind !== "undo") continue;
    // An earlier attempt has replaced it.
    if (satisfies(await (await inspectionOf(run, database)).lineage(run, database), action)) continue;
    const counted = await step(
      run,
      { phase, kind: "count-since", name: `count rows written since in ${database}` },
      () => countSince(run, database, action),
      (rows) => rows,
    );
    const refusal = counted === null ? null : newWritesRefusal(database, pins.release, counted);
    if (refusal === null) continue;
    const { told, instead } = refusal;
    if (!(await mayReopen(run)))
      await step(
        run,
        { phase, kind: "refuse-writes", name: `refuse what was written since in ${database}` },
        () => Promise.reject(new StepOutcomeError(`${told} ${instead}`)),
        () => null,
      );
    await reopenRefused(run, plan);
    throw new RolloutRefusedError(`${told} Nothing was changed and everything runs again. ${instead}`);
  }
}
