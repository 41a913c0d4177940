/**
 * Takes a running system over without stopping anything of it: roles and grants, ledger, first snapshot, first record. Each step finds what an
 * interrupted one has done.
 */
import type { Pins } from "../../config/pins.ts";
import type { Run } from "../../config/run.ts";
import { adoptionOf, fenceOf } from "../../databases/registry.ts";
import { failpoint } from "../../processes/failpoints.ts";
import { beginAdoption, changeAdoption, type AdoptionRecord } from "../../state/adoption.ts";
import { recordAdoption } from "./record.ts";

/** Name of the snapshot that is taken while everything runs. */
export const FIRST_SNAPSHOT = "adopted";

export interface TakeOver {
  pins: Pins;
  /** Migrations to enter in the ledger, by database. */
  baseline: Record<string, string[]>;
  /** Take the first snapshot. */
  snapshot: boolean;
  reason: string | null;
}

export interface TakenOver {
  /** `name@generation of database`. */
  snapshots: string[];
  /** Migrations that were entered in the ledger, by database. */
  entered: Record<string, string[]>;
}

/** @param begun what is recorded where this is the first attempt */
export async function takeOver(run: Run, { pins, baseline, snapshot, reason }: TakeOver, begun: AdoptionRecord): Promise<TakenOver> {
  const { state, definition } = run;
  const databases = Object.keys(definition.databases);
  // Before the ledger is touched: what is entered is recorded as ours, to be removed when everything is given back.
  const record = await beginAdoption(state, { ...begun, entered: baseline });
  await failpoint("adopt.begun");
  for (const database of databases) {
    await (await fenceOf(run, database)).keepProperties(run, database, true);
    run.log("info", `${database}: roles and rights`);
    await failpoint("adopt.roles");
  }
  const entered: Record<string, string[]> = {};
  for (const [database, names] of Object.entries(baseline)) {
    entered[database] = await (await adoptionOf(run, database)).enterMigrations(run, database, names);
    await failpoint("adopt.ledger");
  }
  for (const database of databases) await (await adoptionOf(run, database)).enter(run, database);
  await failpoint("adopt.entered");
  const snapshots: string[] = [];
  for (const database of snapshot ? databases : []) snapshots.push(await takeFirst(run, database, pins.release));
  await failpoint("adopt.snapshot");
  await recordAdoption(run, pins, reason);
  await failpoint("adopt.recorded");
  await changeAdoption(state, { ...record, entered: baseline, doneAt: new Date().toISOString() });
  return { snapshots, entered };
}

async function takeFirst(run: Run, database: string, release: string): Promise<string> {
  const { state, epoch } = run;
  const adoption = await adoptionOf(run, database);
  const known = await state.snapshotOfEpoch(database, FIRST_SNAPSHOT, epoch);
  const snapshot =
    known ??
    (await state.beginSnapshot(
      { database, name: FIRST_SNAPSHOT, driver: adoption.snapshotDriver(run), epoch, release, automatic: false },
      (generation) => adoption.snapshotLocation(run, database, FIRST_SNAPSHOT, generation),
    ));
  const title = `${snapshot.name}@${snapshot.generation} of ${database}`;
  if (known?.state === "ready") return title;
  await failpoint("adopt.copying");
  const taken = await adoption.takeSnapshot(run, snapshot, known !== null);
  await state.finishSnapshot(snapshot.id, { ...taken, baseline: null });
  run.log("info", `snapshot ${title}, taken while it is open`);
  return title;
}
