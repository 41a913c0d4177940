/** What may be dropped: never the last good one, never one that a pin names, never the copy something else is measured against. */
import type { CatalogueDatabase, Snapshot } from "../control/record.ts";
import type { Declared } from "../declared/schema.ts";
import { engineOf } from "./engine.ts";
import type { Run } from "./run.ts";

export interface Droppable {
  snapshots: Snapshot[];
  databases: CatalogueDatabase[];
}

/** Pure: what exceeds the declared numbers. `pinned` holds `name@generation` and quarantine names. */
export function beyondRetention(
  snapshots: Snapshot[],
  catalogue: CatalogueDatabase[],
  keep: Declared["backups"],
  pinned: string[],
  epoch: number,
): Droppable {
  const quarantines = byDatabase(catalogue.filter(({ role }) => role === "quarantine")).flatMap((list) =>
    list.slice(0, Math.max(0, list.length - keep.quarantines)).filter(({ name, epoch: made }) => !pinned.includes(name) && made !== epoch),
  );
  const remaining = catalogue.filter((entry) => !quarantines.includes(entry));
  const needed = new Set(
    remaining.flatMap(({ role, lineage }) =>
      (role === "live" || role === "quarantine") && lineage.snapshot !== null
        ? [`${lineage.snapshot.name}@${lineage.snapshot.generation}`]
        : [],
    ),
  );
  const dropped = byDatabase(snapshots.filter(({ automatic }) => automatic)).flatMap((list) =>
    list
      .slice(0, Math.max(0, list.length - keep.keep))
      .filter(({ name, generation }) => !pinned.includes(`${name}@${generation}`) && !needed.has(`${name}@${generation}`)),
  );
  const armed = catalogue.filter(({ role, snapshotId }) => role === "armed" && dropped.some(({ id }) => id === snapshotId));
  return { snapshots: dropped, databases: [...quarantines, ...armed] };
}

function byDatabase<T extends { database: string }>(entries: T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const entry of entries) groups.set(entry.database, [...(groups.get(entry.database) ?? []), entry]);
  return [...groups.values()];
}

export async function applyRetention(run: Run, keep: Declared["backups"], pinned: string[]): Promise<string[]> {
  const { control, definition } = run;
  const { snapshots, databases } = beyondRetention(await control.readySnapshots(), await control.catalogued(), keep, pinned, run.epoch);
  for (const copy of databases) await (await engineOf(definition, copy.database)).dropCopy(run, copy);
  for (const snapshot of snapshots) {
    await control.removeSnapshot(snapshot.id);
    await (await engineOf(definition, snapshot.database)).removeSnapshot(run, snapshot);
  }
  return [...databases.map(({ name }) => name), ...snapshots.map(({ name, generation }) => `${name}@${generation}`)];
}
