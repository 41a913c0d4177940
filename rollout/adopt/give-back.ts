/** Gives back what was taken over: databases as their users have them. What backout made beside them goes with `drop`; live data never does. */
import type { Run } from "../../config/run.ts";
import { adoptionOf, fenceOf } from "../../databases/registry.ts";
import { failpoint } from "../../processes/failpoints.ts";
import { adoptedDatabases, adoptionRecord, beginGivingBack, endGivingBack } from "../../state/adoption.ts";
import { releaseRecord } from "../../state/identity.ts";
import { dropCopies } from "../destroy.ts";

/** Whether nothing on the user's side was made by this stack: its state is of no use once everything is given back. */
export async function allAdopted({ state, definition }: Run): Promise<boolean> {
  const adopted = await adoptedDatabases(state, definition);
  return adopted.length === Object.keys(definition.databases).length;
}

/** @param remove what backout made goes: copies, roles, state, whose session is ended */
export async function giveBackAll(run: Run, remove: boolean): Promise<void> {
  const { state, definition } = run;
  const databases = Object.keys(definition.databases);
  const adopted = await adoptedDatabases(state, definition);
  await beginGivingBack(state, adopted);
  await removeLedgers(run, adopted);
  for (const database of databases) await (await fenceOf(run, database)).giveBack(run, database);
  await failpoint("give-back.opened");
  if (remove) {
    await state.whileMakingStandby(() => dropCopies(run));
    await (await adoptionOf(run, databases[0]!)).removeState(run);
    return;
  }
  const last = await state.lastRollout();
  // What was recorded as running is not this stack's any more: the next adoption records it anew.
  if (last?.plan.adopted === true) await state.setState(last.epoch, "refused");
  await endGivingBack(state);
  await releaseRecord(state);
}

/** A ledger with nothing in it but what the adoption entered. */
async function removeLedgers(run: Run, adopted: readonly string[]): Promise<void> {
  const entered = (await adoptionRecord(run.state))?.entered ?? {};
  for (const [database, names] of Object.entries(entered))
    if (adopted.includes(database)) await (await adoptionOf(run, database)).removeMigrations(run, database, names);
}
