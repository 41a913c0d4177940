/** Takes the snapshots a rollout needs, inside the fence: idempotent on the epoch, a new generation for every rollout. */
import { copiesOf } from "../../databases/registry.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import { InsufficientSpaceError } from "../../processes/disk-space.ts";
import { RolloutRefusedError, step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { mayReopen, reopenRefused } from "./reopen.ts";

export interface Taken {
  database: string;
  name: string;
  generation: number;
  driver: string;
}

export async function takeSnapshots(run: Run, take: RolloutPlan["take"]): Promise<Taken[]> {
  const rollout = await run.state.rollout(run.epoch);
  const taken: Taken[] = [];
  for (const { name, automatic } of take)
    for (const database of Object.keys(run.definition.databases)) {
      if (rollout?.plan.databases[database]?.action.kind === "create") continue;
      taken.push(
        await step(
          run,
          { phase: "snapshot", kind: "snapshot", name: `${name} of ${database}` },
          () => takeOne(run, database, name, automatic).catch((error: unknown) => refuseWithoutRoom(run, error)),
          (snapshot) => snapshot,
        ),
      );
    }
  return taken;
}

/** The plan found enough space, and it was used up since. The data is unchanged, so everything is started again. */
async function refuseWithoutRoom(run: Run, error: unknown): Promise<never> {
  const plan = (await run.state.rollout(run.epoch))?.plan;
  if (!(error instanceof InsufficientSpaceError) || plan === undefined || !(await mayReopen(run))) throw error;
  await reopenRefused(run, plan);
  throw new RolloutRefusedError(`${error.message}. Everything runs again`);
}

async function takeOne(run: Run, database: string, name: string, automatic: boolean): Promise<Taken> {
  const { state, epoch } = run;
  const rollout = await state.rollout(epoch);
  const known = await state.snapshotOfEpoch(database, name, epoch);
  if (known?.state === "ready") return { database, name, generation: known.generation, driver: known.driver };
  const copies = await copiesOf(run, database);
  const snapshot =
    known ??
    (await state.beginSnapshot(
      { database, name, driver: copies.driver(run), epoch, release: rollout?.plan.fromRelease ?? null, automatic },
      (generation) => copies.snapshotLocation(run, database, name, generation),
    ));
  // Killed between copy and record: whether the copy is whole is not known. The fence still stands, so it is made again.
  const taken = await copies.takeSnapshot(run, snapshot, known !== null);
  await state.finishSnapshot(snapshot.id, { ...taken, baseline: rollout?.baseline ?? null });
  return { database, name, generation: snapshot.generation, driver: snapshot.driver };
}
