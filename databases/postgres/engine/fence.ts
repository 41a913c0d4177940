/** The fence of a PostgreSQL database: connections refused, sessions ended; opened again in stages, with what it had before put back. */
import { admittedWith, liveName } from "../../../config/site.ts";
import type { StateStore } from "../../../config/record.ts";
import { admit as admitStage, fenceDatabase, type FenceOutcome } from "../fence.ts";
import { applyProperties, readProperties } from "../properties.ts";
import type { InspectContext } from "../../engine.ts";
import type { Run } from "../../../config/run.ts";
import { takenOver } from "./foreign.ts";
import { saveProperties, savedProperties } from "./properties-record.ts";
import { ensureServicesRole } from "./roles.ts";
import { clientOf } from "./session.ts";

export { giveBack } from "./foreign.ts";

export async function ensureServices({ site, state }: InspectContext & { state: StateStore }): Promise<void> {
  await ensureServicesRole(site, clientOf(state));
}

/** What CREATE DATABASE does not copy, as it is while nothing is closed; while something is, the record of before stays. */
export async function keepProperties(run: Run, database: string, everythingOpen: boolean): Promise<void> {
  const client = clientOf(run.state);
  if (!everythingOpen && (await savedProperties(client, database)) !== null) return;
  const properties = await readProperties(client, liveName(run.site, database)).catch(() => null);
  if (properties !== null) await saveProperties(client, database, await takenOver(run.site, run.state, database, properties));
}

/** On what is live now, and on what was set aside: an attempt before may have left it half open. Connections to both stay refused. */
export async function putBackProperties(run: Run, database: string, quarantine?: string): Promise<void> {
  const client = clientOf(run.state);
  const saved = await savedProperties(client, database);
  if (saved === null) return;
  for (const name of [liveName(run.site, database), ...(quarantine === undefined ? [] : [quarantine])])
    await applyProperties(client, name, { ...saved, allowConnections: false });
}

export async function close(run: Run, database: string): Promise<FenceOutcome> {
  return fenceDatabase(clientOf(run.state), liveName(run.site, database));
}

export async function admit(run: Run, database: string, whom: "services" | "everybody"): Promise<void> {
  const client = clientOf(run.state);
  const saved = await savedProperties(client, database);
  if (saved !== null)
    await admitStage(client, liveName(run.site, database), whom, { ...admittedWith(run.site, run.definition, database), saved });
}
