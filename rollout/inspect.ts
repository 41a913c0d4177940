/** Looks at what is true, touching nothing: the facts a plan is made from. */
import { nothingMade, openState } from "../databases/open-state.ts";
import type { CatalogueDatabase, StateStore, Rollout, Opening, Snapshot } from "../config/record.ts";
import { releaseOrder } from "../config/ledger.ts";
import { type Pins, rolloutOf } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import { UnreachableError } from "../databases/shared/unreachable.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { RecordedMigrations } from "../config/system/check.ts";
import { inspectionOf } from "../databases/registry.ts";
import type { Asked, RolloutPlan, DatabaseFacts } from "../config/plan.ts";
import { planRollout } from "../config/make-plan.ts";

export type Reach =
  /** The server answers; the files can be read. */
  | { kind: "reached" }
  /** Neither the embedded server nor any file has been made yet: there is no data to lose. */
  | { kind: "absent" }
  | { kind: "unreachable"; reason: string };

export interface Facts {
  reach: Reach;
  /** Last rollout, whatever became of it. */
  last: Rollout | null;
  lastOpen: Rollout | null;
  snapshots: Snapshot[];
  catalogue: CatalogueDatabase[];
  databases: Record<string, DatabaseFacts>;
  /** Rollouts that opened, oldest first. */
  opened: Opening[];
  /** What is recorded of the migrations of each quarantine, by its name; those of which nothing is are left out. */
  setAside?: Record<string, RecordedMigrations>;
}

const NOTHING: Omit<Facts, "reach"> = { last: null, lastOpen: null, snapshots: [], catalogue: [], databases: {}, opened: [] };

/** @param rollout hash of the pins: where they are the ones that are open already, nothing more is looked at. */
export async function inspect(site: Site, definition: SystemDefinition, rollout?: string): Promise<Facts> {
  if (await nothingMade(site, definition)) return { reach: { kind: "absent" }, ...NOTHING };
  let state: StateStore | null = null;
  try {
    state = await openState(site, definition);
    if (state === null) return { reach: { kind: "reached" }, ...NOTHING, databases: await databaseFacts(site, definition, null) };
    const last = await state.lastRollout();
    if (last !== null && last.rollout === rollout && last.state === "open")
      return { reach: { kind: "reached" }, ...NOTHING, last, lastOpen: last };
    const recorded = async (from: StateStore) => {
      const catalogue = await from.catalogued();
      const setAside = await migrationsSetAside(from, catalogue);
      const [lastOpen, snapshots, opened] = [await from.lastOpenRollout(), await from.readySnapshots(), await from.openings()];
      return { lastOpen, snapshots, catalogue, setAside, opened };
    };
    const [record, databases] = await Promise.all([recorded(state), databaseFacts(site, definition, state)]);
    return { reach: { kind: "reached" }, last, ...record, databases };
  } catch (error) {
    // A missing password file means that the embedded server is not there yet or is being made.
    if (error instanceof UnreachableError || (error as NodeJS.ErrnoException).code === "ENOENT")
      return { reach: { kind: "unreachable", reason: (error as Error).message }, ...NOTHING };
    throw error;
  } finally {
    await state?.end();
  }
}

/** The rollout from what is true to these pins. @throws what `planRollout` does */
export function planFrom(facts: Facts, definition: SystemDefinition, pins: Pins, asked: Asked): RolloutPlan {
  const begun = unfinished(facts.last);
  return planRollout({
    definition,
    from: facts.lastOpen?.pins ?? null,
    to: pins,
    unfinished: begun,
    begun: begun ? facts.last?.pins.release : undefined,
    order: orderOf(facts, asked),
    scope: asked.scope,
    databases: facts.databases,
    snapshots: facts.snapshots,
  });
}

/** Every release that is known, oldest first. */
export function orderOf({ opened }: Pick<Facts, "opened">, { order }: Asked): string[] {
  return releaseOrder(
    order,
    opened.map(({ pins }) => pins.release),
  );
}

/** A rollout that neither opened nor was refused: nothing is known to be as its pins say. */
export function unfinished(last: Rollout | null): boolean {
  return last !== null && last.state !== "open" && last.state !== "refused";
}

/** Whether an update to these pins resumes the last rollout instead of beginning another. */
export function resumes({ last }: Pick<Facts, "last">, pins: Pins): boolean {
  return last?.rollout === rolloutOf(pins);
}

/** Users are in, and the record is closed. */
export function isDone(rollout: Pick<Rollout, "state" | "recordedAt"> | null): boolean {
  return rollout?.state === "open" && rollout.recordedAt !== null;
}

/** A quarantine holds what was live when its rollout began. */
async function migrationsSetAside(state: StateStore, catalogue: CatalogueDatabase[]): Promise<Record<string, RecordedMigrations>> {
  const found: Record<string, RecordedMigrations> = {};
  for (const { name, database, epoch } of catalogue.filter(({ role }) => role === "quarantine")) {
    const recorded = (await state.rollout(epoch))?.baseline?.migrations?.[database];
    if (recorded !== undefined) found[name] = recorded;
  }
  return found;
}

async function databaseFacts(site: Site, definition: SystemDefinition, state: StateStore | null): Promise<Record<string, DatabaseFacts>> {
  const facts: Record<string, DatabaseFacts> = {};
  const at = { site, definition, state };
  for (const database of Object.keys(definition.databases)) facts[database] = await (await inspectionOf(at, database)).facts(at, database);
  return facts;
}

/**
 * The rollout that leads to `pins`: the recorded one where it is the same, else the next.
 * @param made whether the engine knows of this stack. One that was destroyed while its data was kept begins again with nothing but that; one that was
 *   adopted goes on from what ran.
 */
export function nextRollout(
  facts: Facts,
  definition: SystemDefinition,
  pins: Pins,
  asked: Asked,
  made: boolean,
): { epoch: number; rollout: string; plan: RolloutPlan } {
  const rollout = rolloutOf(pins);
  const again = !made && facts.last?.state === "open" && facts.last.plan.adopted !== true;
  if (facts.last !== null && facts.last.rollout === rollout && !again) return { epoch: facts.last.epoch, rollout, plan: facts.last.plan };
  const from = again ? { ...facts, lastOpen: null } : facts;
  return { epoch: (facts.last?.epoch ?? 0) + 1, rollout, plan: planFrom(from, definition, pins, asked) };
}
