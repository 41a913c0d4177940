/**
 * What may be dropped: never the last good copy, one that a pin names, one that a running release goes back to, or one that others are compared
 * with. Releases that opened are counted; what failed deployments left is counted apart, so that they drop nothing but their own.
 */
import type { CatalogueDatabase, Opening, Snapshot } from "../config/record.ts";
import { releaseOrder } from "../config/ledger.ts";
import type { StackConfig } from "../config/schema.ts";
import { copiesOf } from "../databases/registry.ts";
import { removeStored, removeStoredCopy } from "./artefacts.ts";
import { dropCommand, neverWritten, onlyCopies, onlyCopyWords } from "./only-copy.ts";
import type { Run } from "../config/run.ts";
import { releaseBefore, snapshotLeft } from "./way-back.ts";

export interface Droppable {
  snapshots: Snapshot[];
  databases: CatalogueDatabase[];
}

/** What has to be known besides the copies themselves. */
export interface RetentionFacts {
  /** `name@generation` of snapshots, their name alone where that is pinned, and names of quarantines. */
  pinned: readonly string[];
  /** The rollout that ends now: what it set aside stays. */
  epoch: number;
  opened: readonly Opening[];
  /** Every release that is known, oldest first. */
  order: readonly string[];
  /** Releases that are pinned. */
  releases: readonly string[];
  /** Quarantines to which no user ever wrote, by name: of deployments that never opened. */
  unopened: readonly string[];
  /** Quarantines that hold what no export does, by name. One that `backups.drop` lists is dropped like the others. */
  onlyCopies: readonly string[];
}

/** Pure: what exceeds the declared numbers. */
export function beyondRetention(
  snapshots: readonly Snapshot[],
  catalogue: readonly CatalogueDatabase[],
  keep: StackConfig["backups"],
  keeping: RetentionFacts,
): Droppable {
  const { pinned, epoch, unopened } = keeping;
  const held = keeping.onlyCopies.filter((name) => keep.drop?.includes(name) !== true);
  const quarantines = byDatabase(catalogue.filter(({ role }) => role === "quarantine")).flatMap((list) =>
    [true, false]
      .flatMap((written) =>
        beyond(
          list.filter(({ name }) => unopened.includes(name) !== written),
          keep.quarantines,
          ({ oid }) => oid,
        ),
      )
      .filter(({ name, epoch: made }) => !pinned.includes(name) && made !== epoch && !held.includes(name)),
  );
  const remaining = catalogue.filter((entry) => !quarantines.includes(entry));
  const measured = new Set(
    remaining.flatMap(({ role, lineage }) =>
      (role === "live" || role === "quarantine") && lineage.snapshot !== null
        ? [`${lineage.snapshot.name}@${lineage.snapshot.generation}`]
        : [],
    ),
  );
  const dropped = byDatabase(snapshots.filter(({ automatic }) => automatic)).flatMap((list) => {
    const wayBack = goneBackTo(list, keeping);
    return [true, false]
      .flatMap((good) =>
        beyond(
          list.filter((one) => ledToOpening(one, keeping.opened) === good),
          keep.keep,
          ledTo(keeping.opened),
        ),
      )
      .filter((one) => {
        const exact = `${one.name}@${one.generation}`;
        return !pinned.includes(one.name) && !pinned.includes(exact) && !measured.has(exact) && !wayBack.includes(one);
      });
  });
  const standby = catalogue.filter(({ role, snapshotId }) => role === "standby" && dropped.some(({ id }) => id === snapshotId));
  return { snapshots: dropped, databases: [...quarantines, ...standby] };
}

/** All but the newest `count`; what belongs together counts once. */
function beyond<T>(list: readonly T[], count: number, of: (entry: T) => number): T[] {
  const kept = [...new Set(list.map(of))].slice(-count);
  return list.filter((entry) => !kept.includes(of(entry)));
}

/** The rollout in which the attempts that took the snapshot ended. */
function ledTo(opened: readonly Opening[]): (snapshot: Snapshot) => number {
  return ({ epoch }) => opened.find((opening) => opening.epoch >= epoch)?.epoch ?? epoch;
}

/** Whether what it was taken for opened, at once or in a later attempt; not, where the release of before was opened again instead. */
function ledToOpening({ epoch, release }: Snapshot, opened: readonly Opening[]): boolean {
  const ended = opened.find((opening) => opening.epoch >= epoch);
  return ended === undefined || ended.epoch === epoch || ended.pins.release !== release;
}

/** What the pinned releases go back to, and what the ones before them would. */
function goneBackTo(snapshots: readonly Snapshot[], { opened, order, releases }: RetentionFacts): Snapshot[] {
  const before = (release: string): string[] => [releaseBefore(opened, order, release) ?? []].flat();
  const goals = releases.flatMap(before);
  return [...goals, ...goals.flatMap(before)].flatMap((goal) => snapshotLeft(opened, snapshots, goal) ?? []);
}

function byDatabase<T extends { database: string }>(entries: readonly T[]): T[][] {
  return [...Map.groupBy(entries, ({ database }) => database).values()];
}

/** @param order the ledger's; null: not known */
export async function applyRetention(
  run: Run,
  keep: StackConfig["backups"],
  pinned: readonly string[],
  order: readonly string[] | null,
): Promise<string[]> {
  const { state, epoch } = run;
  const [opened, catalogue] = [await state.openings(), await state.catalogued()];
  const pins = (await state.rollout(epoch))?.pins;
  const unopened = await neverWritten(state, catalogue);
  const copies = await onlyCopies(run, catalogue, unopened);
  const keeping: RetentionFacts = {
    pinned,
    epoch,
    opened,
    order: releaseOrder(
      order,
      opened.map(({ pins: { release } }) => release),
    ),
    releases: pins === undefined ? [] : [...new Set([pins.release, ...Object.values(pins.services).map(({ release }) => release)])],
    unopened,
    onlyCopies: [...copies.keys()],
  };
  const taken = await state.readySnapshots();
  const { snapshots, databases } = beyondRetention(taken, catalogue, keep, keeping);
  const without = beyondRetention(taken, catalogue, keep, { ...keeping, onlyCopies: [] }).databases;
  for (const { name } of without.filter((entry) => !databases.includes(entry) && copies.has(entry.name)))
    run.log(
      "warning",
      `quarantine ${name} is kept beyond backups.quarantines: ${onlyCopyWords(copies.get(name)!)}. To drop it for good: ${dropCommand(run.site, keep, name)}`,
    );
  const dropped: string[] = [];
  // A copy that is still in use stays until the next rollout: it does not delay opening.
  const drop = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    await work().then(
      () => dropped.push(name),
      (error: Error) => run.log("warning", `${name} is beyond backups and could not be dropped: ${error.message}`),
    );
  };
  for (const copy of databases)
    await drop(copy.name, async () => {
      await removeStoredCopy(run, copy);
      await (await copiesOf(run, copy.database)).dropCopy(run, copy);
    });
  // A half-removed copy is no way back, and is removed by the next run where this one fails or is killed.
  for (const snapshot of [...(await state.remainders(epoch)), ...snapshots])
    await drop(`${snapshot.name}@${snapshot.generation}`, async () => {
      await state.setSnapshotState(snapshot.id, "removing");
      await (await copiesOf(run, snapshot.database)).removeSnapshot(run, snapshot);
      await removeStored(run, snapshot.location);
      await state.setSnapshotState(snapshot.id, "removed");
    });
  return dropped;
}
