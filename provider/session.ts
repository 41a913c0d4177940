/** The provider's hold on a system while it works: one locked session in the control database for the life of the process. */
import { hostname } from "node:os";
import { ControlStore } from "../control/store.ts";
import { controlName, definitionOf, endpointOf, type Site } from "../declared/site.ts";
import type { Run } from "../crossing/run.ts";
import { newRunId } from "../crossing/run-id.ts";
import type { Call } from "./resource.ts";

/** How long a run waits for a provider that outlived its command line to finish its operation. */
const LOCK_WAIT_MS = 60_000;

interface Held {
  control: ControlStore;
  broken: boolean;
}
const held = new Map<string, Promise<Held>>();
const runId = newRunId();

/** A run of one crossing with the lock held. Several resources of one update share the session. */
export async function runOf(site: Site, epoch: number, call: Call): Promise<Run> {
  const definition = await definitionOf(site);
  const name = controlName(site, definition);
  const { host, port } = endpointOf(site);
  const key = `${host}:${port}/${name}`;
  let session = await held.get(key)?.catch(() => undefined);
  if (session === undefined || session.broken) {
    const opened = hold(site, name);
    held.set(key, opened);
    session = await opened;
  }
  return { site, definition, control: session.control, epoch, runId, log: call.log };
}

async function hold(site: Site, name: string): Promise<Held> {
  const control = await ControlStore.create(endpointOf(site), name);
  const session: Held = { control, broken: false };
  control.client.on("end", () => (session.broken = true));
  try {
    await control.lock({ runId, pid: process.pid, host: hostname(), since: new Date().toISOString() }, LOCK_WAIT_MS);
  } catch (error) {
    session.broken = true;
    await control.end();
    throw error;
  }
  return session;
}
