/** Quarantines that hold what no export does: the only copy of it, which never goes without being named and confirmed. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { CatalogueDatabase, StateStore, Rollout } from "../config/record.ts";
import { commandOf, upCommand } from "../config/commands.ts";
import type { StackConfig } from "../config/schema.ts";
import { type Site, exportFolder } from "../config/site.ts";
import type { NotCompared } from "../databases/shared/not-compared.ts";
import { manifestPath } from "../databases/shared/export-file.ts";
import { textElsewhere } from "./artefacts.ts";
import { satisfies } from "../databases/shared/lineage.ts";
import type { DataAction } from "../config/plan.ts";

interface CopySources {
  site: Site;
  state: StateStore;
}

/**
 * What no export holds of each quarantine to which users wrote, in words. Left out: those of which an export holds everything.
 * @param unopened those to which no user wrote: `neverWritten`
 */
export async function onlyCopies(
  keeping: CopySources,
  catalogue: readonly CatalogueDatabase[],
  unopened: readonly string[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { name, database, epoch } of catalogue.filter(({ role, name }) => role === "quarantine" && !unopened.includes(name))) {
    const rollout = await keeping.state.rollout(epoch);
    const missing = rollout === null ? [] : await inNoExport(keeping, rollout.runId, database);
    if (missing.length > 0) found.set(name, missing);
  }
  return found;
}

const NO_EXPORT = "there is no export of it";

/** What `onlyCopies` found of one quarantine, as a clause. */
export function onlyCopyWords(missing: readonly string[]): string {
  return missing.includes(NO_EXPORT) ? NO_EXPORT : `no export holds ${missing.join(", ")}`;
}

interface Told {
  notCompared?: NotCompared[];
  unreadable?: Record<string, string>;
}

async function inNoExport(keeping: CopySources, runId: string, database: string): Promise<string[]> {
  const folder = exportFolder(keeping.site, runId, database);
  const file = manifestPath(folder, runId);
  let told: Told;
  try {
    // Another machine may have made it.
    const text = existsSync(file)
      ? readFileSync(file, "utf8")
      : await textElsewhere(keeping, dirname(folder), `${database}/${basename(file)}`);
    if (text === null) return [NO_EXPORT];
    told = JSON.parse(text) as Told;
  } catch {
    return [NO_EXPORT];
  }
  return [
    ...(told.notCompared ?? []).filter(({ mayBeLost }) => mayBeLost).map(({ kind, name }) => `${kind} ${name}`),
    ...Object.keys(told.unreadable ?? {}).map((table) => `table ${table}, which is damaged`),
  ];
}

/** Quarantines of data that was set aside before anybody was let in to it. */
export async function neverWritten(
  state: Pick<StateStore, "rollout" | "snapshotOfEpoch">,
  catalogue: readonly CatalogueDatabase[],
): Promise<string[]> {
  const names: string[] = [];
  for (const entry of catalogue) if (entry.role === "quarantine" && (await cameUnopened(state, entry))) names.push(entry.name);
  return names;
}

/** Whether a rollout that never opened had brought the data, or had taken the very snapshot of it that replaced it: all that came then is not users'. */
async function cameUnopened(
  state: Pick<StateStore, "rollout" | "snapshotOfEpoch">,
  { database, epoch, lineage }: CatalogueDatabase,
): Promise<boolean> {
  const actionOf = (rollout: Rollout | null): DataAction | undefined => rollout?.plan.databases[database]?.action;
  const replaced = actionOf(await state.rollout(epoch));
  for (let before = await state.rollout(epoch - 1); before?.openedAt === null; before = await state.rollout(before.epoch - 1)) {
    // What was refused changed nothing, and users were in again.
    if (before.state === "refused") continue;
    const action = actionOf(before);
    if (action?.kind === "create") return true;
    // One that failed before it came so far has brought nothing; an undo brings what users wrote to.
    if ((action?.kind === "restore" || action?.kind === "undo") && satisfies(lineage, action)) return action.kind === "restore";
    if (replaced?.kind !== "restore") continue;
    const taken = await state.snapshotOfEpoch(database, replaced.snapshot, before.epoch);
    if (taken?.generation === replaced.generation) return true;
  }
  return false;
}

/** How a quarantine that is kept is dropped all the same. */
export function dropCommand(
  { project, stack }: Pick<Site, "project" | "stack">,
  { drop = [] }: StackConfig["backups"],
  name: string,
): string {
  const set = `config set --stack ${stack} --path 'backout:backups.drop[${drop.length}]' ${name}`;
  return `${commandOf(project, "pulumi", set)} && ${upCommand({ project, stack })}`;
}
