/** Whether a dump can be brought back into the database as it is now: tried inside the fence, where nobody waits for the locks that it takes. */
import type { Client } from "pg";
import type { StateStore, Snapshot } from "../../../config/record.ts";
import { endpointOf } from "../../../config/site.ts";
import { readExtent } from "../extent.ts";
import { schemaFingerprint } from "../fingerprint.ts";
import { tryInPlace } from "../restore.ts";
import type { InspectContext } from "../../engine.ts";
import type { Run } from "../../../config/run.ts";
import { inDatabase } from "./places.ts";

interface Trial {
  /** Of the schema that it was tried on. */
  fingerprint: string;
  /** Null: it can be brought back. */
  problem: string | null;
}

const trialKey = (snapshot: Snapshot): string => `in-place trial: ${snapshot.id}`;

/** Tries it and keeps what came of it. @returns why it cannot be brought back; null where it can */
export async function tryAndKeep({ site, state }: Run, client: Client, snapshot: Snapshot): Promise<string | null> {
  const problem = await tryInPlace({ client, endpoint: endpointOf(site) }, snapshot.location).then(
    () => null,
    (error: unknown) => (error as Error).message,
  );
  const trial: Trial = { fingerprint: await schemaFingerprint(client, await readExtent(client)), problem };
  await state.keep(trialKey(snapshot), trial);
  return problem;
}

/** Why a snapshot that was read through has no standby copy all the same; null where nothing speaks against it. */
export async function noStandbyBecause(
  { site, state }: InspectContext & { state: StateStore },
  snapshot: Snapshot,
): Promise<string | null> {
  const trial = await state.kept<Trial>(trialKey(snapshot));
  if (trial === null) return "it was not tried in the live database yet";
  if (trial.problem !== null) return trial.problem;
  const now = await inDatabase(site, snapshot.database, async (client) => schemaFingerprint(client, await readExtent(client)));
  return now === trial.fingerprint ? null : "the schema changed since it was tried";
}
