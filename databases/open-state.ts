/** The state of a stack: in a database beside its live PostgreSQL ones, in a file where there is no server. Only what is needed is loaded. */
import { existsSync } from "node:fs";
import { upCommand } from "../config/commands.ts";
import { stateFile, stateDatabase, endpointOf, liveFile, liveName, type Site } from "../config/site.ts";
import { observeServer } from "./embedded-server.ts";
import { UnreachableError } from "./shared/unreachable.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { requireHome, requireOwn } from "../state/identity.ts";
import type { StateStore } from "../config/record.ts";

/** Opens it, making it where it is absent. */
export async function createState(site: Site, definition: SystemDefinition): Promise<StateStore> {
  if (site.server === undefined) return (await import("./sqlite/state/file.ts")).SqliteState.create(stateFile(site));
  const { PostgresState } = await import("./postgres/state/store.ts");
  return site.server.driver === "in-place"
    ? PostgresState.createInside(endpointOf(site), firstLive(site, definition), site.home)
    : PostgresState.create(endpointOf(site), stateDatabase(site, definition), site.home);
}

/**
 * Opens it for looking only; null where there is none yet.
 * @throws UnreachableError when the server does not answer, ForeignStackError where it is another stack's
 */
export async function openState(site: Site, definition: SystemDefinition): Promise<StateStore | null> {
  requireHome(site);
  const state = await openAny(site, definition);
  if (state === null) return null;
  try {
    await requireOwn(state, site);
    return state;
  } catch (error) {
    await state.end();
    throw error;
  }
}

async function openAny(site: Site, definition: SystemDefinition): Promise<StateStore | null> {
  if (await nothingMade(site, definition)) return null;
  if (site.server === undefined) return (await import("./sqlite/state/file.ts")).SqliteState.open(stateFile(site));
  const { PostgresState } = await import("./postgres/state/store.ts");
  try {
    return site.server.driver === "in-place"
      ? await PostgresState.openInside(endpointOf(site), firstLive(site, definition), site.home)
      : await PostgresState.open(endpointOf(site), stateDatabase(site, definition), site.home);
  } catch (error) {
    if (error instanceof UnreachableError && (await isDown(site)))
      error.helps(`the embedded server is down, \`${upCommand(site)}\` starts it`);
    throw error;
  }
}

async function isDown(site: Site): Promise<boolean> {
  return site.server?.embedded === true && (await observeServer(site)).state === "stopped";
}

/** Where it is, in words: equal for equal places. */
export function statePlace(site: Site, definition: SystemDefinition): string {
  if (site.server === undefined) return stateFile(site);
  const { host, port } = endpointOf(site);
  const name = site.server.driver === "in-place" ? firstLive(site, definition) : stateDatabase(site, definition);
  return `${name} at ${host}:${port}`;
}

/** The live database that holds the record where there may be no other. */
function firstLive(site: Site, definition: SystemDefinition): string {
  return liveName(site, Object.keys(definition.databases)[0] ?? site.system);
}

/** Whether nothing of the stack's data has been made yet, so that there is none to lose. */
export async function nothingMade(site: Site, definition: SystemDefinition): Promise<boolean> {
  if (site.server === undefined)
    return !existsSync(stateFile(site)) && Object.keys(definition.databases).every((database) => !existsSync(liveFile(site, database)));
  if (!site.server.embedded) return false;
  return (await observeServer(site)).state === "absent";
}
