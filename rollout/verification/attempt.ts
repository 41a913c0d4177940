/**
 * What an attempt to verify begins with, so that it judges what is now: an earlier one that failed left errors in the services' logs, and others may
 * have written since rows were counted.
 */
import { targetOf } from "../../workloads/index.ts";
import { finished, type Noted } from "../../config/journal.ts";
import type { Rollout } from "../../config/record.ts";
import { usersAreOut } from "../gate.ts";
import { ordered } from "../../config/make-plan.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { setFlags } from "../steps/flags.ts";
import type { Pins } from "../../config/pins.ts";
import { countInside } from "./baseline.ts";

export async function beginAttempt(run: Run, pins: Pins, rollout: Rollout): Promise<void> {
  if (rollout.state === "open") return;
  const journal = await run.state.journal(run.epoch);
  // A run that was killed during verification has no failed entry.
  if (journal.some(({ phase, status, runId }) => runId !== run.runId && (status === "failed" || phase === "verify"))) {
    // The services have been let in: the fence must not be closed on them.
    await setFlags(run, pins.flags, "as it is");
    // Where users are still served, what is read of the logs begins with this attempt instead.
    if (usersAreOut(run.site)) await startAgain(run, pins, startedBy(run, journal));
  }
  if (!rollout.plan.fenceData) await countAnew(run, rollout);
}

function startedBy({ runId }: Run, journal: Noted[]): string[] {
  const starts = finished(journal, "start").filter((entry) => entry.runId === runId);
  return starts.flatMap(({ detail: { service, state } }) => (state === "started" ? [service] : []));
}

/** Restarts the services so that their logs hold only errors of this attempt. */
async function startAgain(run: Run, pins: Pins, fresh: string[]): Promise<void> {
  const services = ordered(run.definition).filter(
    (name) => pins.services[name]?.run === true && run.definition.services[name]?.kind !== "static" && !fresh.includes(name),
  );
  if (services.length === 0) return;
  const target = targetOf(run.site, run.definition);
  const name = `start ${services.join(", ")} once more after the attempt before`;
  const again = async (): Promise<void> => {
    for (const service of services) await target.stop(service);
    await target.confirmStopped(services);
    for (const service of [...services].reverse()) await target.start(service, pins.services[service]!);
  };
  await step(run, { phase: "verify", kind: "restart", name }, again, () => null);
}

/** Counts the rows again. A table that has lost all its rows since the first count keeps that count, so that verification reports it. */
async function countAnew(run: Run, { baseline }: Rollout): Promise<void> {
  const before = baseline?.counts ?? {};
  if (Object.keys(before).length === 0) return;
  const now = await countInside(run, false);
  const gone = Object.entries(before).filter(([table, rows]) => rows > 0 && now[table] === 0);
  if (gone.length > 0) await run.state.setCounts(run.epoch, { ...now, ...Object.fromEntries(gone) });
}
