/** Brings the data to what the pins declare: created, restored, undone, migrated or rolled back. All of it inside the fence. */
import type { Pins } from "../../config/pins.ts";
import type { NewWrites } from "../../config/schema.ts";
import { baseSnapshot } from "../at-risk.ts";
import type { CutOver } from "../../config/journal.ts";
import type { Data } from "../../databases/engine.ts";
import { dataOf, inspectionOf } from "../../databases/registry.ts";
import { beginExport } from "../exports.ts";
import { movedData } from "../moved-data.ts";
import type { DataAction, DatabasePlan, Lineage } from "../../config/plan.ts";
import { carryOverRecords } from "../carry-over.ts";
import { putProtections } from "../protections.ts";
import { exportReplaced, repairAndCount } from "../repairs/repair.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { reapplySince } from "./reapply.ts";

const phase = "data";

export interface DataDone {
  lineage: Lineage;
  /** Fence confirmed closed → the database under the live name reachable. Null where nothing was cut over. */
  cutOverMs: number | null;
  quarantine: string | null;
  migrated: { up: string[]; back: string[] };
}

export async function bringData(
  run: Run,
  database: string,
  pins: Pins,
  plan: DatabasePlan,
  newWrites: NewWrites = "export",
): Promise<DataDone> {
  const data = await dataOf(run, database);
  const lineage = async () => (await inspectionOf(run, database)).lineage(run, database);
  const rollout = await run.state.rollout(run.epoch);
  if (rollout?.state === "open")
    return {
      lineage: await lineage(),
      cutOverMs: null,
      quarantine: null,
      migrated: { up: [], back: [] },
    };
  if (plan.action.kind === "create") {
    await step(
      run,
      { phase, kind: "make", name: `make ${database}` },
      () => data.make(run, database),
      () => null,
    );
    const up = await step(
      run,
      { phase, kind: "migrate", name: `migrate ${database}` },
      () => data.migrate(run, database, pins, plan),
      (done) => done,
    );
    return { lineage: await lineage(), cutOverMs: null, quarantine: null, migrated: up };
  }
  const fenced = rollout?.plan.fenceData === true;
  const swap =
    plan.action.kind === "none" || plan.action.kind === "repair"
      ? null
      : await step(
          run,
          { phase, kind: "cut-over", name: `cut over ${database} to ${showAction(plan.action)}` },
          () => cutOver(run, data, database, plan.action),
          (done) => (done === null ? null : { database, ...done }),
        );
  // Where everything written since is put back, records are among it.
  if (newWrites !== "reapply" && (swap !== null || plan.action.kind === "restore"))
    await step(
      run,
      { phase, kind: "carry-over", name: `records of ${database} written since` },
      () => carryOverRecords(run, database),
      (rows) => rows,
    );
  const { action } = plan;
  if (swap !== null) beginExport(run, database, action);
  if (action.kind === "repair")
    await step(
      run,
      { phase, kind: "repair", name: `repair ${database} by ${action.repair}` },
      () => repairAndCount(run, database, action),
      (rows) => ({ database, repair: action.repair, rows }),
    );
  if (action.kind === "repair")
    await step(
      run,
      { phase, kind: "export", name: `export rows replaced in ${database}` },
      () => exportReplaced(run, database, action),
      (files) => files,
    );
  const migrated = fenced
    ? await step(
        run,
        { phase, kind: "migrate", name: `schema of ${database}` },
        () => data.migrate(run, database, pins, plan),
        (done) => done,
      )
    : { up: [], back: [] };
  if (newWrites === "reapply" && fenced) {
    const moved = await movedData(run, database);
    if (moved.action.kind === "restore" || moved.action.kind === "undo") await reapplySince(run, database, moved);
  }
  // What took the place of the restricted data is not restricted; users are still out.
  if (rollout !== null) await putProtections(run, "data", rollout.plan, database);
  return {
    lineage: await lineage(),
    cutOverMs: swap?.cutOverMs ?? null,
    quarantine: swap?.quarantine ?? null,
    migrated,
  };
}

function showAction(action: DataAction): string {
  return action.kind === "restore" ? `${action.snapshot}@${action.generation}` : action.kind === "undo" ? action.quarantine : action.kind;
}

async function cutOver(run: Run, data: Data, database: string, action: DataAction): Promise<CutOver | null> {
  const snapshot = action.kind === "restore" ? await baseSnapshot(run, database, action) : null;
  return data.cutOver(run, database, action, snapshot);
}
