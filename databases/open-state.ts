/** The control record of a stack: in a database beside its live PostgreSQL ones, in a file where there is no server. Only what is needed is loaded. */
import { existsSync } from "node:fs";
import { upCommand } from "../config/commands.ts";
import { controlFile, controlName, endpointOf, liveFile, liveName, serverHome, type Site } from "../config/site.ts";
import { UnreachableError } from "./postgres/unreachable.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { requireHome, requireOwn } from "../state/identity.ts";
import type { ControlRecord } from "../config/record.ts";

/** Opens it, making it where it is absent. */
export async function createControl(site: Site, definition: SystemDefinition): Promise<ControlRecord> {
  if (site.server === undefined) return (await import("./sqlite/state/file.ts")).ControlFile.create(controlFile(site));
  const { ControlStore } = await import("./postgres/state/store.ts");
  return site.server.driver === "in-place"
    ? ControlStore.createInside(endpointOf(site), firstLive(site, definition))
    : ControlStore.create(endpointOf(site), controlName(site, definition));
}

/**
 * Opens it for looking only; null where there is none yet.
 * @throws UnreachableError when the server does not answer, ForeignStackError where it is another stack's
 */
export async function openControl(site: Site, definition: SystemDefinition): Promise<ControlRecord | null> {
  requireHome(site);
  const control = await openAny(site, definition);
  if (control === null) return null;
  try {
    await requireOwn(control, site);
    return control;
  } catch (error) {
    await control.end();
    throw error;
  }
}

async function openAny(site: Site, definition: SystemDefinition): Promise<ControlRecord | null> {
  if (await nothingMade(site, definition)) return null;
  if (site.server === undefined) return (await import("./sqlite/state/file.ts")).ControlFile.open(controlFile(site));
  const { ControlStore } = await import("./postgres/state/store.ts");
  try {
    return site.server.driver === "in-place"
      ? await ControlStore.openInside(endpointOf(site), firstLive(site, definition))
      : await ControlStore.open(endpointOf(site), controlName(site, definition));
  } catch (error) {
    if (error instanceof UnreachableError && (await isDown(site)))
      error.helps(`the embedded server is down, \`${upCommand(site)}\` starts it`);
    throw error;
  }
}

async function isDown(site: Site): Promise<boolean> {
  return site.server?.embedded === true && (await import("./postgres/server.ts")).observeServer(serverHome(site)).state === "stopped";
}

/** Where it is, in words: equal for equal places. */
export function controlPlace(site: Site, definition: SystemDefinition): string {
  if (site.server === undefined) return controlFile(site);
  const { host, port } = endpointOf(site);
  const name = site.server.driver === "in-place" ? firstLive(site, definition) : controlName(site, definition);
  return `${name} at ${host}:${port}`;
}

/** The live database that holds the record where there may be no other. */
function firstLive(site: Site, definition: SystemDefinition): string {
  return liveName(site, Object.keys(definition.databases)[0] ?? site.system);
}

/** Whether nothing of the stack's data has been made yet, so that there is none to lose. */
export async function nothingMade(site: Site, definition: SystemDefinition): Promise<boolean> {
  if (site.server === undefined)
    return !existsSync(controlFile(site)) && Object.keys(definition.databases).every((database) => !existsSync(liveFile(site, database)));
  if (!site.server.embedded) return false;
  return (await import("./postgres/server.ts")).observeServer(serverHome(site)).state === "absent";
}
