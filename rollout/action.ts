/** After-success actions: whether one may be done now, and doing it. What goes is kept as files first; all of it is one transaction. */
import { finished } from "../config/journal.ts";
import type { Rollout } from "../config/record.ts";
import type { Pins } from "../config/pins.ts";
import { commandOf } from "../config/commands.ts";
import type { Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { usersAreOut } from "./gate.ts";
import type { WatchState } from "./verification/watches-due.ts";
import type { ActionDone } from "../databases/engine.ts";
import { actionsOf } from "../databases/registry.ts";
import type { Run } from "../config/run.ts";

export interface ActionFacts {
  site: Pick<Site, "project" | "stack">;
  /** The last rollout; null: nothing was deployed. */
  rollout: Pick<Rollout, "plan" | "state" | "epoch" | "pins"> | null;
  /** Watches after it. */
  watches: readonly Pick<WatchState, "id" | "state">[];
  /** As declared now. */
  pins: Pins;
}

/** Why an action may not be done now, all reasons at once; empty: it may. Pure. */
export function actionRefusals(definition: SystemDefinition, id: string, { site, rollout, watches, pins }: ActionFacts): string[] {
  const { after, watches: wanted, database, migration } = definition.actions![id]!;
  if (rollout === null) return [`${id}: nothing was deployed yet`];
  const reasons: string[] = [];
  if (definition.databases[database]?.engine !== "postgres") reasons.push(`${id}: ${database} is no PostgreSQL database`);
  const { plan, state, epoch } = rollout;
  const scope = plan.scope ?? definition.defaultScope;
  if (state !== "open") reasons.push(`${id}: rollout ${epoch} is "${state}", not open: the rollback has not succeeded yet`);
  if (plan.forward) reasons.push(`${id}: the last rollout was a deployment of ${plan.toRelease}; it may be done after a rollback only`);
  else if (!after.includes(scope)) reasons.push(`${id}: it may be done after ${after.join(", ")}, the last rollback was ${scope}`);
  else
    for (const watch of wanted) {
      // A watch that does not follow this scope is not waited for.
      const found = watches.find((one) => one.id === watch);
      if (found !== undefined && found.state !== "passed")
        reasons.push(
          `${id}: the watch ${watch} is ${found.state}, it has to pass first: \`${commandOf(site.project, "backout", `watch ${watch} --stack ${site.stack}`)}\``,
        );
    }
  if (migration !== undefined)
    for (const needing of new Set([rollout.pins, pins].filter((one) => needs(definition, one, database, migration)).map(releasesOf)))
      reasons.push(`${id}: ${needing} needs ${migration}: what it brought may not go while that runs`);
  return reasons;
}

function needs(definition: SystemDefinition, pins: Pins, database: string, migration: string): boolean {
  const order = definition.databases[database]!.migrations.map(({ name }) => name);
  return order.indexOf(pins.needs[database] ?? "") >= order.indexOf(migration);
}

function releasesOf(pins: Pins): string {
  const releases = new Set([pins.release, ...Object.values(pins.services).map(({ release }) => release)]);
  return [...releases].join(" and ");
}

/** The caller holds the lock of the state and has checked `actionRefusals`. */
export async function carryOut(run: Run, id: string): Promise<ActionDone> {
  const { site, definition, state, epoch, runId } = run;
  const action = definition.actions![id]!;
  const note = { epoch, runId, phase: "action", kind: "action", step: id } as const;
  await state.note({ ...note, status: "started" });
  try {
    const done = await (await actionsOf(run, action.database)).carryOut(run, action);
    await state.note({ ...note, status: done.unchanged ? "already" : "finished", detail: { id, ...done } });
    return done;
  } catch (error) {
    await state
      .note({ ...note, status: "failed", detail: { error: (error as Error).message, gateClosed: usersAreOut(site) } })
      .catch(() => undefined);
    throw error;
  }
}

/** Rollouts that are looked back over. */
const LOOK_BACK = 20;

/** Ids of the actions done since the last deployment, which brings back what they took away. */
export async function actionsDone(state: Run["state"]): Promise<string[]> {
  const done = new Set<string>();
  for (const { epoch, plan } of await state.rollouts(LOOK_BACK)) {
    if (plan.forward) break;
    for (const { detail } of finished(await state.journal(epoch), "action")) done.add(detail.id);
  }
  return [...done];
}
