/** The provider's hold on a system while it works: one locked state for the life of the process. */
import { claimRecord, otherMachine } from "../state/identity.ts";
import { statePlace, createState } from "../databases/open-state.ts";
import type { StateStore } from "../config/record.ts";
import { enginesOf } from "../databases/registry.ts";
import type { Run } from "../config/run.ts";
import { definitionOf, type Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { sharesKeys } from "../config/stack-keys.ts";
import { newRunId } from "../config/run-id.ts";
import { thisProcess } from "../processes/lock-holder.ts";
import type { Call } from "./resource.ts";

/** How long a run waits for a provider that outlived its command line to finish its operation. */
const LOCK_WAIT_MS = 60_000;

interface Held {
  state: StateStore;
  broken: boolean;
}
const held = new Map<string, Promise<Held>>();
const runId = newRunId();

/** A run of one rollout with the lock held. Several resources of one update share the session. */
export async function runOf(site: Site, epoch: number, call: Call): Promise<Run> {
  const definition = await definitionOf(site);
  const { state } = await heldFor(statePlace(site, definition), () => hold(site, definition, call));
  return { site, definition, state, epoch, runId, log: call.log, failed: endAfterFailure };
}

/** What ends a run is not loaded by an update that has nothing to do. */
async function endAfterFailure(run: Run, failure: string): Promise<void> {
  await (await import("../rollout/ending.ts")).endFailedRun(run, failure);
}

/** Resources that begin at once share one session: a second one would wait for the lock of the first. */
async function heldFor(key: string, open: () => Promise<Held>): Promise<Held> {
  const current = held.get(key);
  if (current !== undefined) {
    const session = await current;
    if (!session.broken) return session;
    if (held.get(key) !== current) return heldFor(key, open);
  }
  const opened = open();
  held.set(key, opened);
  opened.catch(() => held.get(key) === opened && held.delete(key));
  return opened;
}

/** Whether services are processes of the machine that updates the stack, and another machine may do that. */
function runsHere(site: Site, { services }: SystemDefinition): boolean {
  return sharesKeys(site) && site.target === "process" && Object.values(services).some(({ kind }) => kind !== "external");
}

async function hold(site: Site, definition: SystemDefinition, call: Call): Promise<Held> {
  const state = await createState(site, definition);
  const session: Held = { state, broken: false };
  state.onLost(() => (session.broken = true));
  try {
    await state.lock({ runId, ...thisProcess() }, LOCK_WAIT_MS);
    const before = runsHere(site, definition) ? await otherMachine(state) : null;
    if (before !== null)
      call.log(
        "warning",
        `${site.stack} was last updated on ${before.host}, in ${before.home}: services that run there as processes are not seen from here. End them if that machine still runs`,
      );
    if (await claimRecord(state, site)) await letServicesIn(site, definition, state);
  } catch (error) {
    session.broken = true;
    await state.end();
    throw error;
  }
  return session;
}

/** A record that was another stack's: its services' role has a password that this one does not know. */
async function letServicesIn(site: Site, definition: SystemDefinition, state: StateStore): Promise<void> {
  const at = { site, definition, state };
  for (const { engine } of await enginesOf(at)) await (await engine.fence()).ensureServices(at);
}
