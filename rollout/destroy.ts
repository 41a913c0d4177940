/** What `pulumi destroy` does with the data that lies in the stack's home: nothing, until a choice is declared. Data on the user's own server stays there. */
import { rmSync } from "node:fs";
import { dirname, relative } from "node:path";
import { openState } from "../databases/open-state.ts";
import { commandOf } from "../config/commands.ts";
import type { Snapshot } from "../config/record.ts";
import { stateFile, liveFile, type Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { CopyContext } from "../databases/engine.ts";
import { adoptionOf, copiesOf, enginesOf, dataOf } from "../databases/registry.ts";
import { adoptedDatabases, adoptionRecord } from "../state/adoption.ts";
import { removeStored, removeStoredCopy } from "./artefacts.ts";
import { inspect } from "./inspect.ts";
import type { Log, Run } from "../config/run.ts";

/** `keep`: everything stops and the data stays, to be found again by the next update. `drop`: it goes, copies included. */
export type DestroyChoice = "keep" | "drop";

/** The choice of what becomes of a destroyed stack's data: `keep`, or `drop:<stack>`. */
export const DESTROY_DATA = "BACKOUT_DESTROY_DATA";

/** There is data, and no choice of what becomes of it. Nothing was stopped. */
export class DestroyRefusedError extends Error {
  readonly held: readonly string[];
  /** @param adopted live databases that were taken over: they stay */
  constructor({ stack, project, home, server }: Site, held: readonly string[], adopted: readonly string[]) {
    const destroy = (choice: string): string => `${DESTROY_DATA}=${choice} ${commandOf(project, "pulumi", `destroy --stack ${stack}`)}`;
    const where = server?.embedded === false ? `${home} and on ${server.host}` : home;
    const stays =
      adopted.length === 0
        ? ""
        : `${adopted.join(", ")} ${adopted.length === 1 ? "was" : "were"} adopted and ${adopted.length === 1 ? "stays" : "stay"} in either case. `;
    super(
      `${stack} has data in ${where}: ${held.join("; ")}. Nothing was stopped or dropped. ${stays}` +
        `To stop everything and keep the data: \`${destroy("keep")}\`. To drop all of it for good: \`${destroy(`drop:${stack}`)}\`.`,
    );
    this.name = "DestroyRefusedError";
    this.held = held;
  }
}

/** The choice is not one of those allowed. */
export class DestroyChoiceError extends Error {
  readonly given: string;
  constructor(given: string, stack: string) {
    super(
      `${DESTROY_DATA}="${given}" is not allowed: set it to \`keep\`, or to \`drop:${stack}\` to drop the data of ${stack}. Nothing was stopped`,
    );
    this.name = "DestroyChoiceError";
    this.given = given;
  }
}

/** @throws DestroyRefusedError, DestroyChoiceError */
export async function destroyChoice(site: Site, definition: SystemDefinition): Promise<DestroyChoice> {
  const given = process.env[DESTROY_DATA] ?? "";
  if (given === "keep") return "keep";
  if (given === `drop:${site.stack}`) return "drop";
  if (given !== "") throw new DestroyChoiceError(given, site.stack);
  const adopted = await adoptedBy(site, definition);
  const held = await heldData(site, definition, adopted);
  if (held.length > 0) throw new DestroyRefusedError(site, held, adopted);
  return "drop";
}

/** Databases that were taken over; none where the state does not answer. */
async function adoptedBy(site: Site, definition: SystemDefinition): Promise<string[]> {
  if (site.server?.embedded === true) return [];
  const state = await openState(site, definition).catch(() => null);
  return state === null ? [] : adoptedDatabases(state, definition).finally(() => state.end());
}

/** Databases, snapshots and quarantines that would go with the stack, in words; empty where there are none. */
async function heldData(site: Site, definition: SystemDefinition, adopted: readonly string[]): Promise<string[]> {
  // On a server of the user's own nothing is dropped, except the copies of what was adopted.
  if (site.server?.embedded === false && adopted.length < Object.keys(definition.databases).length) return [];
  const facts = await inspect(site, definition);
  if (facts.reach.kind === "absent") return [];
  if (facts.reach.kind === "unreachable")
    return [`its server, which does not answer, so that nobody can say what it holds (${facts.reach.reason})`];
  const held: string[] = [];
  for (const { engine, databases } of await enginesOf({ site, definition }))
    for (const database of databases) {
      if (facts.databases[database]?.exists !== true || adopted.includes(database) || !isInHome(site, definition, database)) continue;
      const bytes = await engine.inspect.liveBytes({ site, definition, state: null }, database);
      held.push(`database ${database} (${(bytes / 1e6).toFixed(1)} MB)`);
    }
  const snapshots = facts.snapshots.map(({ name, generation }) => `${name}@${generation}`);
  const quarantines = facts.catalogue.filter(({ role }) => role === "quarantine").map(({ name }) => name);
  if (snapshots.length > 0) held.push(`snapshots ${snapshots.join(", ")}`);
  if (quarantines.length > 0) held.push(`quarantines ${quarantines.join(", ")}`);
  return held;
}

/** A file that the user put elsewhere is the user's. */
function isInHome(site: Site, definition: SystemDefinition, database: string): boolean {
  return definition.databases[database]?.engine !== "sqlite" || !relative(site.home, liveFile(site, database)).startsWith("..");
}

/** Removes the files of a stack without a server: copies by the catalogue, the live ones that lie in its home and were not adopted, the state last. */
export async function dropFiles(site: Site, definition: SystemDefinition, log: Log): Promise<void> {
  const state = await openState(site, definition);
  const adopted = state === null ? [] : await adoptedDatabases(state, definition);
  if (state !== null) {
    const run: Run = { site, definition, state, log, epoch: 0, runId: "" };
    const entered = (await adoptionRecord(state))?.entered ?? {};
    for (const database of adopted) await (await adoptionOf(run, database)).removeMigrations(run, database, entered[database] ?? []);
    await dropCopies(run);
    const [first] = Object.keys(definition.databases);
    if (first === undefined) await state.end();
    else await (await adoptionOf(run, first)).removeState(run);
  }
  for (const database of Object.keys(definition.databases))
    if (!adopted.includes(database) && isInHome(site, definition, database))
      await (await dataOf({ site, definition }, database)).remove(site, database);
  rmSync(dirname(stateFile(site)), { recursive: true, force: true });
}

/** Larger than any: also what the last rollout left half made. */
const EVERY_EPOCH = 2 ** 31 - 1;

/** Snapshots, standby copies and quarantines. Of a snapshot that was never whole, what cannot be removed is named and left. */
export async function dropCopies(at: CopyContext): Promise<void> {
  const told = (error: Error): void => at.log("warning", error.message);
  for (const copy of await at.state.catalogued()) {
    if (copy.role === "live") continue;
    await removeStoredCopy(at, copy).catch(told);
    await (await copiesOf(at, copy.database)).dropCopy(at, copy);
  }
  const remove = async (snapshot: Snapshot): Promise<void> => {
    await at.state.setSnapshotState(snapshot.id, "removing");
    await (await copiesOf(at, snapshot.database)).removeSnapshot(at, snapshot);
    await removeStored(at, snapshot.location).catch(told);
    await at.state.setSnapshotState(snapshot.id, "removed");
  };
  for (const snapshot of await at.state.readySnapshots()) await remove(snapshot);
  for (const snapshot of await at.state.remainders(EVERY_EPOCH))
    await remove(snapshot).catch((error: Error) => at.log("warning", `${snapshot.location} is left as it is: ${error.message}`));
}
