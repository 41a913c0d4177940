/** The fence of a database in place: rights to connect are taken from its users, and returned in stages. */
import { admittedWith, liveName } from "../../../config/site.ts";
import type { StateStore } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import { takenOver } from "../../postgres/engine/foreign.ts";
import { saveProperties, savedProperties } from "../../postgres/engine/properties-record.ts";
import { ensureServicesRole } from "../../postgres/engine/roles.ts";
import { clientOf } from "../../postgres/engine/session.ts";
import { readProperties } from "../../postgres/properties.ts";
import type { InspectContext } from "../../engine.ts";
import { admitInPlace, closeInPlace } from "../fence.ts";
import { putForceBack } from "../forced-rls.ts";
import { inDatabase } from "./places.ts";

export { giveBack } from "../../postgres/engine/foreign.ts";

export async function ensureServices({ site, state }: InspectContext & { state: StateStore }): Promise<void> {
  await ensureServicesRole(site, clientOf(state));
}

export async function keepProperties({ site, state }: Run, database: string, everythingOpen: boolean): Promise<void> {
  const client = clientOf(state);
  if (!everythingOpen && (await savedProperties(client, database)) !== null) return;
  const properties = await inDatabase(site, database, (live) => readProperties(live, liveName(site, database)));
  await saveProperties(client, database, await takenOver(site, state, database, properties));
}

export async function close({ site }: Run, database: string): Promise<unknown> {
  return inDatabase(site, database, async (client) => {
    await putForceBack(client);
    return closeInPlace(client);
  });
}

export async function admit({ site, state, definition }: Run, database: string, whom: "services" | "everybody"): Promise<void> {
  const saved = await savedProperties(clientOf(state), database);
  if (saved === null) return;
  await inDatabase(site, database, (client) => admitInPlace(client, whom, { ...admittedWith(site, definition, database), saved }));
}
